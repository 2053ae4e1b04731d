// This file's job is to check that the device's memory stays sound whatever happens in whatever order.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import * as transition from '../../src/state.js';
import type { InstalledBundle, State } from '../../src/state.js';

const fresh = transition.newState('1.0.0', 'n'.repeat(43), 900);

function bundle(name: string): InstalledBundle {
  const file = { path: 'index.bundle', sha256: name, sizeBytes: 1, role: 'launch' };
  return { contentSha256: name, releaseId: `rel_${name}`, label: name, launchPath: file.path, files: [file] };
}

function after(...steps: ((state: State) => State)[]): State {
  return steps.reduce((state, step) => step(state), fresh);
}

const stage = (name: string, install: 'next-restart' | 'next-cold-start' | 'now' = 'next-restart') => (state: State) =>
  transition.stage(state, bundle(name), install).state;
const cold = (state: State) => transition.start(state, state.binary, 'cold').state;
const restart = (state: State) => transition.start(state, state.binary, 'restart').state;
const confirm = (state: State) => transition.confirm(state).state;

test('a staged bundle runs on trial from the next start and is kept once confirmed', () => {
  const trial = after(stage('a'), cold);
  expect([trial.running?.label, trial.trial, trial.pending]).toEqual(['a', true, null]);
  const kept = confirm(trial);
  expect([kept.running?.label, kept.trial, kept.previous?.label]).toEqual(['a', false, 'a']);
  expect(cold(kept)).toEqual(kept);
});

test('a bundle for the next cold start waits through a restart', () => {
  const waiting = after(stage('a', 'next-cold-start'), restart);
  expect([waiting.running, waiting.pending?.bundle?.label]).toEqual([null, 'a']);
  expect(cold(waiting).running?.label).toBe('a');
});

test('a trial that is not confirmed goes back to the last confirmed bundle and is named', () => {
  const trial = after(stage('a'), cold, confirm, stage('b'), cold);
  const back = transition.start(trial, '1.0.0', 'cold');
  expect([back.state.running?.label, back.state.failed]).toEqual(['a', ['b']]);
  expect(back.happened.map((event) => [event.kind, event.bundleSha256])).toEqual([
    ['crashed', 'b'],
    ['rolled-back', 'b'],
  ]);
});

test('the first bundle that crashes goes back to the embedded one', () => {
  expect(after(stage('a'), cold, cold).running).toBeNull();
});

test('a new binary begins with its embedded bundle and an empty list of failures', () => {
  const updated = transition.start(after(stage('a'), cold, cold, stage('b')), '2.0.0', 'cold').state;
  expect([updated.running, updated.pending, updated.failed, updated.binary]).toEqual([null, null, [], '2.0.0']);
});

test('going back to the embedded bundle is reported for what ran', () => {
  const running = after(stage('a'), cold, confirm);
  const back = transition.start(transition.stageEmbedded(running, 'now'), '1.0.0', 'restart');
  expect([back.state.running, back.state.previous, back.happened.map((event) => event.kind)]).toEqual([null, null, ['rolled-back']]);
});

test('a bundle whose files are gone gives way to the one before, then to the embedded one', () => {
  const both = after(stage('a'), cold, confirm, stage('b'), cold);
  const once = transition.lost(both);
  expect([once.state.running?.label, once.state.trial, once.happened[0]?.detail]).toEqual(['a', false, 'files are missing']);
  expect(transition.lost(once.state).state.running).toBeNull();
});

test('a bundle that crashes while it is staged again is not tried again', () => {
  const state = after(stage('a'), cold, stage('a'), cold);
  expect([state.running, state.pending, state.failed]).toEqual([null, null, ['a']]);
});

test('in whatever order things happen, the memory stays sound', () => {
  const names = fc.constantFrom('a', 'b', 'c');
  const moments = fc.constantFrom('next-restart' as const, 'next-cold-start' as const, 'now' as const);
  const step = fc.oneof(
    fc.tuple(names, moments).map(([name, install]) => (state: State) =>
      transition.hasFailed(state, name) ? state : transition.stage(state, bundle(name), install).state),
    moments.map((install) => (state: State) => transition.stageEmbedded(state, install)),
    fc.constantFrom(cold, restart, confirm, transition.unstage),
    fc.constantFrom('1.0.0', '2.0.0').map((binary) => (state: State) => transition.start(state, binary, 'cold').state),
    fc.constant((state: State) => transition.lost(state).state),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      let state = fresh;
      for (const change of steps) {
        state = change(state);
        // What is on trial runs; what failed never runs, and is never what one goes back to.
        expect(state.trial && state.running === null).toBe(false);
        for (const kept of transition.keptBundles(state)) {
          expect(transition.hasFailed(state, kept.contentSha256)).toBe(false);
        }
        // Nothing but the embedded bundle or a confirmed one runs without being on trial.
        expect(state.trial || state.running === null || state.running.label === state.previous?.label).toBe(true);
        expect(transition.readState(new TextEncoder().encode(JSON.stringify(state)))).toEqual(state);
      }
    }),
    { numRuns: 2_000 },
  );
});

test('at most 200 events are kept, and the oldest go first', () => {
  const events = Array.from({ length: 250 }, (_, index) => ({ id: `evt_${index}`, kind: 'launched' as const }));
  const state = transition.remember(transition.remember(fresh, events.slice(0, 100)), events.slice(100));
  expect([state.events.length, state.events[0]?.id, state.events.at(-1)?.id]).toEqual([200, 'evt_50', 'evt_249']);
});
