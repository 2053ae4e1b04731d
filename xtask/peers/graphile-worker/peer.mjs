// Puts the same load on graphile-worker as `queue_load` puts on our queue: MODE URL COUNT; prints one JSON object.
// Run from the folder with its node_modules, over standard input.
import { run, runMigrations, makeWorkerUtils, Logger } from 'graphile-worker';

const [mode, connectionString, countText] = process.argv.slice(2);
const count = Number(countText);
const concurrency = 10;
const logger = new Logger(() => () => {});
const options = { connectionString, logger, maxPoolSize: concurrency + 2, noHandleSignals: true };
const preset = mode === 'burn-local' ? { worker: { localQueue: { size: 21 } } } : undefined;

await runMigrations(options);
const utils = await makeWorkerUtils(options);

async function burn() {
  for (let start = 0; start < count; start += 500) {
    const jobs = Array.from({ length: Math.min(500, count - start) }, () => ({ identifier: 'nothing', payload: {} }));
    await utils.addJobs(jobs);
  }
  let done = 0;
  let finish;
  const finished = new Promise((resolve) => (finish = resolve));
  const nothing = () => {
    done += 1;
    if (done === count) finish();
  };
  const begun = performance.now();
  const runner = await run({ ...options, preset, concurrency, taskList: { nothing } });
  await finished;
  // The completions of the last jobs are part of the work.
  await runner.stop();
  return { jobs_per_second: (count / (performance.now() - begun)) * 1000 };
}

async function latency() {
  const started = new Map();
  const committed = new Map();
  const nothing = ({ number }) => void started.set(number, performance.now());
  const runner = await run({ ...options, concurrency, taskList: { nothing } });
  await new Promise((resolve) => setTimeout(resolve, 500));
  for (let number = 0; number < count; number += 1) {
    await utils.addJob('nothing', { number });
    committed.set(number, performance.now());
    await new Promise((resolve) => setTimeout(resolve, 7));
  }
  while (started.size < count) await new Promise((resolve) => setTimeout(resolve, 20));
  await runner.stop();
  const waits = [...committed].map(([number, at]) => Math.max(0, started.get(number) - at)).sort((a, b) => a - b);
  const percentile = (share) => waits[Math.max(1, Math.min(waits.length, Math.ceil(waits.length * share))) - 1];
  return { p50_ms: percentile(0.5), p99_ms: percentile(0.99) };
}

console.log(JSON.stringify(mode === 'latency' ? await latency() : await burn()));
await utils.release();
process.exit(0);
