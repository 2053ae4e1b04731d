// This file's job is to operate the platform that the clients are tested against, as a developer does.
import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';

function required(name) {
  const value = process.env[name];
  if (!value) {
    throw new Error(`${name} is not set: run \`./x test\``);
  }
  return value;
}

/** Base address of the edge. */
export const edgeUrl = required('ALOFT_EDGE');
/** Base address of the edge's port for programs. */
export const edgeApiUrl = required('ALOFT_EDGE_API');
const environment = { ...process.env, ALOFT_SERVER: required('ALOFT_SERVER'), ALOFT_API_KEY: required('ALOFT_API_KEY') };
const command = required('ALOFT_COMMAND');
const corpus = required('ALOFT_CORPUS');

/** Far longer than anything here takes on a busy machine. */
const DEADLINE_MS = 60_000;
const POLL_MS = 50;

/** The folder with a version of the sample app for Android. */
export function folderOf(version) {
  return path.join(corpus, version, 'android', 'hermes');
}

/** Makes an app with a channel and a deployment key. Answers what runs commands about it. */
export async function makeApp(name, importedKey) {
  const app = `${name}-${Date.now().toString(36)}`;
  const operate = (...words) => aloft(words, { ALOFT_APP: app, ALOFT_CHANNEL: 'production' });
  await operate('app', 'create', app);
  await operate('channel', 'create', 'production');
  const key = ['deployment-key', 'create', '--platform', 'android'];
  const made = await operate(...key, ...(importedKey ? ['--import', importedKey] : []));
  const publish = (folder, ...options) =>
    operate('release', folder, '--platform', 'android', '--binary-range', '1.x', ...options);
  return { deploymentKey: made.key, operate, publish };
}

async function aloft(words, more) {
  const env = { ...environment, ...more };
  try {
    const { stdout } = await promisify(execFile)(command, [...words, '--json'], { env, maxBuffer: 64 << 20 });
    return JSON.parse(stdout);
  } catch (error) {
    // What was wrong stands on standard output, as JSON.
    throw new Error(`aloft ${words.join(' ')}: ${error.stdout || error.message}`);
  }
}

/** Asks until the answer is what is waited for. */
export async function until(what, ask) {
  const deadline = Date.now() + DEADLINE_MS;
  for (;;) {
    const answer = await ask();
    if (answer) {
      return answer;
    }
    if (Date.now() > deadline) {
      throw new Error(`waited in vain: ${what}`);
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
