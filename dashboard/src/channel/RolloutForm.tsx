// This file's job is to set who gets a release: the share, what happens to those who fall out, pause and resume.
import { useState } from 'react';
import { useAction } from '../api/action.js';
import { useClients } from '../api/clients.js';
import type { Release } from '../gen/aloft/v1/releases_pb.js';
import { Retreat, RolloutState } from '../gen/aloft/v1/types_pb.js';
import { SelectField, TextField } from '../parts/Field.js';
import { Notice } from '../parts/Notice.js';
import { ShareBar } from '../parts/ShareBar.js';
import { PauseIcon, PlayIcon } from '../parts/icons.js';
import { WHOLE_PPM, formatShare, parseShare, shareInput } from '../percent.js';
import { rolloutEffect } from '../effects.js';
import { RETREATS, shareOf } from '../words.js';

/** One percent: a step of the slider. Finer shares are typed. */
const SLIDER_STEP_PPM = 10_000;

const PRESETS_PPM = [10_000, 50_000, 100_000, 250_000, 500_000, WHOLE_PPM] as const;

/** What a person has changed but not saved, over the state that they saw. */
interface Draft {
  text: string;
  retreat: Retreat;
  etag: string;
}

interface Change {
  sharePpm?: number;
  state?: RolloutState;
  retreat?: Retreat;
  etag: string;
}

function saidOf(label: string, { state, sharePpm }: Change): string {
  if (state === RolloutState.PAUSED) {
    return `${label} is paused.`;
  }
  return sharePpm === undefined ? `${label} goes on.` : `${label} now goes to ${formatShare(sharePpm)} of its devices.`;
}

export function RolloutForm({ release }: { release: Release }) {
  const clients = useClients();
  const [draft, setDraft] = useState<Draft>();
  const change = useAction(
    (input: Change) => clients.releases.setRollout({ name: release.name, ...input }),
    (_, input) => saidOf(release.label, input),
  );
  const apply = (input: Change): void => change.mutate(input, { onSettled: () => setDraft(undefined) });
  return (
    <section aria-labelledby="rollout">
      <h3 id="rollout">Rollout</h3>
      <ShareForm release={release} draft={draft} onDraft={setDraft} busy={change.isPending} onApply={apply} />
      <PauseButton release={release} busy={change.isPending} onApply={apply} />
      {change.error && <Notice error={change.error} />}
    </section>
  );
}

interface ShareFormProps {
  release: Release;
  draft: Draft | undefined;
  onDraft: (draft: Draft | undefined) => void;
  busy: boolean;
  onApply: (change: Change) => void;
}

function ShareForm({ release, draft, onDraft, busy, onApply }: ShareFormProps) {
  const now = shareOf(release);
  const retreatNow = release.rollout?.retreat || Retreat.STAY;
  const { text, retreat, etag } = draft ?? { text: shareInput(now), retreat: retreatNow, etag: release.etag };
  const share = parseShare(text);
  const wanted = share.ppm ?? now;
  const changed = share.ppm !== undefined && (share.ppm !== now || retreat !== retreatNow);
  const edit = (next: Partial<Draft>): void => onDraft({ text, retreat, etag, ...next });
  const paused = release.rollout?.state === RolloutState.PAUSED;
  return (
    <form
      className="stack"
      onSubmit={(event) => {
        event.preventDefault();
        if (changed) {
          onApply({ sharePpm: wanted, retreat, etag });
        }
      }}
    >
      <ShareBar ppm={now} draftPpm={share.ppm} idle={!release.enabled || paused} />
      <div className="share-inputs">
        <input type="range" aria-label="Share of devices" min={0} max={WHOLE_PPM} step={SLIDER_STEP_PPM} value={wanted} aria-valuetext={formatShare(wanted)} onChange={(event) => edit({ text: shareInput(Number(event.target.value)) })} />
        <TextField label="Share in %" inputMode="decimal" value={text} problem={share.problem} onChange={(event) => edit({ text: event.target.value })} />
      </div>
      <div className="presets" role="group" aria-label="Usual shares">
        {PRESETS_PPM.map((ppm) => (
          <button key={ppm} type="button" className="chip chip-button" aria-pressed={share.ppm === ppm} onClick={() => edit({ text: shareInput(ppm) })}>
            {formatShare(ppm)}
          </button>
        ))}
      </div>
      <SelectField label="Devices that fall out of the share" value={retreat} onChange={(event) => edit({ retreat: Number(event.target.value) })}>
        {[Retreat.STAY, Retreat.NEXT_COLD_START, Retreat.NOW].map((value) => (
          <option key={value} value={value}>
            {RETREATS[value]}
          </option>
        ))}
      </SelectField>
      {changed && <p className="effect">{rolloutEffect(release, wanted, retreat)}</p>}
      {draft && draft.etag !== release.etag && !busy && <p className="problem">Somebody else changed this release meanwhile. Discard your change to see the current state.</p>}
      {draft && (
        <p className="actions">
          <button type="submit" className="button button-primary" disabled={busy || !changed}>
            {busy ? 'Working…' : saveWords(now, wanted)}
          </button>
          <button type="button" className="button" onClick={() => onDraft(undefined)}>
            Discard
          </button>
        </p>
      )}
    </form>
  );
}

function saveWords(now: number, wanted: number): string {
  if (wanted === now) {
    return 'Save';
  }
  return `${wanted > now ? 'Raise' : 'Lower'} to ${formatShare(wanted)}`;
}

function PauseButton({ release, busy, onApply }: { release: Release; busy: boolean; onApply: (change: Change) => void }) {
  const paused = release.rollout?.state === RolloutState.PAUSED;
  const state = paused ? RolloutState.ACTIVE : RolloutState.PAUSED;
  return (
    <div className="switch">
      <div>
        <p className="switch-title">{paused ? 'Paused' : 'Taking in devices'}</p>
        <p className="hint">{paused ? `Resuming offers it to ${formatShare(shareOf(release))} of its devices again.` : 'Pausing stops further devices; those that run it keep it.'}</p>
      </div>
      <button type="button" className="button" disabled={busy} onClick={() => onApply({ state, etag: release.etag })}>
        {paused ? <PlayIcon /> : <PauseIcon />} {paused ? 'Resume' : 'Pause'}
      </button>
    </div>
  );
}
