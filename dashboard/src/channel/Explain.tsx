// This file's job is to show what one device would get, and why.
import { useQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { type FormEvent, useState } from 'react';
import { useClients } from '../api/clients.js';
import { explainQuery } from '../api/queries.js';
import { type ExplainResponse, type ExplainStep, Outcome } from '../gen/aloft/v1/channels_pb.js';
import { Badge } from '../parts/Badge.js';
import { SelectField, TextField } from '../parts/Field.js';
import { Loaded } from '../parts/Loaded.js';
import { Empty } from '../parts/Screen.js';
import { ShareBar } from '../parts/ShareBar.js';
import { WHOLE_PPM } from '../percent.js';
import { type ChannelSearch, type PlatformWord, platformValue } from '../search.js';
import { parseSha256 } from '../sizes.js';
import { OUTCOMES, installWords, nothingWords, verdictWords } from '../words.js';

interface Props {
  app: string;
  channel: string;
  search: ChannelSearch;
}

export function Explain({ app, channel, search }: Props) {
  const asked = search.device !== undefined;
  return (
    <div className="explain">
      <QuestionForm app={app} channel={channel} search={search} />
      <div className="explain-answer" aria-live="polite">
        {asked ? (
          <AnswerOf app={app} channel={channel} search={search} device={search.device ?? ''} />
        ) : (
          <Empty title="What would a device get?">
            <p>Name a device. The answer comes from the same decision that the edges make, with each step of it.</p>
          </Empty>
        )}
      </div>
    </div>
  );
}

function QuestionForm({ app, channel, search }: Props) {
  const navigate = useNavigate();
  const [device, setDevice] = useState(search.device ?? '');
  const [platform, setPlatform] = useState<PlatformWord>(search.platform ?? 'android');
  const [version, setVersion] = useState(search.version ?? '');
  const [runtime, setRuntime] = useState(search.runtime ?? '');
  const [current, setCurrent] = useState(search.current ?? '');
  const hashProblem = current.trim() !== '' && !parseSha256(current.trim()) ? '64 hexadecimal digits.' : undefined;
  const ask = (event: FormEvent): void => {
    event.preventDefault();
    if (hashProblem) {
      return;
    }
    const words = { device: device.trim(), platform, version: version.trim(), runtime: runtime.trim(), current: current.trim() };
    const set = Object.fromEntries(Object.entries(words).filter(([, value]) => value !== ''));
    void navigate({ to: '/apps/$app/channels/$channel', params: { app, channel }, search: { tab: 'explain', ...set }, resetScroll: false });
  };
  return (
    <form className="card stack" onSubmit={ask}>
      <TextField label="Device" required maxLength={128} placeholder="Its id, or the name its client chose" value={device} onChange={(event) => setDevice(event.target.value)} />
      <SelectField label="Platform" value={platform} onChange={(event) => setPlatform(event.target.value === 'ios' ? 'ios' : 'android')}>
        <option value="android">Android</option>
        <option value="ios">iOS</option>
      </SelectField>
      <TextField label="Binary version" placeholder="1.4.0" value={version} onChange={(event) => setVersion(event.target.value)} />
      <TextField label="Runtime version" hint="Only for releases that are for a runtime version." value={runtime} onChange={(event) => setRuntime(event.target.value)} />
      <TextField label="Content hash of what it runs" hint="Empty while it runs the embedded bundle." value={current} problem={hashProblem} onChange={(event) => setCurrent(event.target.value)} />
      <button type="submit" className="button button-primary">
        Explain
      </button>
    </form>
  );
}

function AnswerOf({ app, channel, search, device }: Props & { device: string }) {
  const { platform = 'android', version = '', runtime = '', current = '' } = search;
  const question = {
    device,
    platform: platformValue(platform),
    binaryVersion: version,
    runtimeVersion: runtime,
    currentBundle: new Uint8Array(parseSha256(current) ?? []),
  };
  const query = useQuery(explainQuery(useClients(), app, channel, question, [device, platform, version, runtime, current]));
  return (
    <Loaded query={query} rows={4}>
      {(answer) => (
        <>
          <Verdict answer={answer} />
          {answer.steps.length > 0 && <Steps steps={answer.steps} />}
          <p className="muted">Decided from state {String(answer.snapshotVersion)} of the channel.</p>
        </>
      )}
    </Loaded>
  );
}

function Verdict({ answer }: { answer: ExplainResponse }) {
  const { word, tone } = OUTCOMES[answer.outcome];
  return (
    <div className={`card verdict tone-${tone}`}>
      <h2>
        {word}
        {answer.outcome === Outcome.UPDATE && ` to ${answer.label}`}
      </h2>
      <p>{answer.outcome === Outcome.NOTHING ? nothingWords(answer.reason) : installWords(answer.install)}</p>
      {answer.mandatory && <Badge tone="warn">Mandatory</Badge>}
    </div>
  );
}

function Steps({ steps }: { steps: ExplainStep[] }) {
  return (
    <div className="table-frame">
      <table className="table stacking">
        <caption>Releases that were looked at, newest first</caption>
        <thead>
          <tr>
            <th scope="col">Release</th>
            <th scope="col">Verdict</th>
            <th scope="col">Share</th>
            <th scope="col">Bucket</th>
          </tr>
        </thead>
        <tbody>
          {steps.map((step) => {
            const { word, meaning, tone } = verdictWords(step.verdict);
            return (
              <tr key={step.release}>
                <th scope="row">{step.label}</th>
                <td data-label="Verdict">
                  <span className="verdict-cell">
                    <Badge tone={tone}>{word}</Badge>
                    <span>{meaning}</span>
                  </span>
                </td>
                <td data-label="Share">
                  <ShareBar ppm={step.sharePpm} idle={tone === 'calm'} />
                </td>
                <td data-label="Bucket" className="figure">
                  <span title={`Taken in when the bucket is below the share: ${step.bucket} of ${WHOLE_PPM}`}>{step.bucket.toLocaleString('en')}</span>
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}
