// This file's job is to enable, disable and make mandatory, each after a question.
import { useState } from 'react';
import { useAction } from '../api/action.js';
import { useClients } from '../api/clients.js';
import { enableEffect, mandatoryEffect } from '../effects.js';
import type { Release } from '../gen/aloft/v1/releases_pb.js';
import { Confirm } from '../parts/Confirm.js';

type Asked = 'enabled' | 'mandatory';

export function Switches({ release }: { release: Release }) {
  const [asked, setAsked] = useState<Asked>();
  return (
    <section aria-labelledby="availability">
      <h3 id="availability">Availability</h3>
      <Switch title={release.enabled ? 'Enabled' : 'Disabled'} hint={release.enabled ? 'Disabling offers it to nobody.' : 'It is offered to nobody.'} verb={release.enabled ? 'Disable…' : 'Enable…'} onAsk={() => setAsked('enabled')} />
      <Switch title={release.mandatory ? 'Mandatory' : 'Not mandatory'} hint={release.mandatory ? 'Devices change over at once.' : 'Devices change over at their next restart.'} verb={release.mandatory ? 'Make optional…' : 'Make mandatory…'} onAsk={() => setAsked('mandatory')} />
      {asked && <AskSwitch release={release} asked={asked} onClose={() => setAsked(undefined)} />}
    </section>
  );
}

function Switch({ title, hint, verb, onAsk }: { title: string; hint: string; verb: string; onAsk: () => void }) {
  return (
    <div className="switch">
      <div>
        <p className="switch-title">{title}</p>
        <p className="hint">{hint}</p>
      </div>
      <button type="button" className="button" onClick={onAsk}>
        {verb}
      </button>
    </div>
  );
}

function AskSwitch({ release, asked, onClose }: { release: Release; asked: Asked; onClose: () => void }) {
  const clients = useClients();
  // What was asked stays what is done, even when the release changes meanwhile.
  const [{ value, etag }] = useState({ value: !release[asked], etag: release.etag });
  const words = wordsOf(release, asked, value);
  const change = useAction(
    () =>
      clients.releases.updateRelease({
        release: { name: release.name, [asked]: value },
        updateMask: { paths: [asked] },
        etag,
      }),
    () => words.said,
  );
  return (
    <Confirm title={`${words.verb}?`} effect={words.effect} verb={words.verb} danger={words.danger} busy={change.isPending} error={change.error} onConfirm={() => change.mutate(undefined, { onSuccess: onClose })} onClose={onClose} />
  );
}

function wordsOf(release: Release, asked: Asked, value: boolean): { verb: string; effect: string; said: string; danger: boolean } {
  const { label } = release;
  switch (asked) {
    case 'enabled':
      return {
        verb: `${value ? 'Enable' : 'Disable'} ${label}`,
        effect: enableEffect(release, value),
        said: `${label} is ${value ? 'enabled' : 'disabled'}.`,
        danger: !value,
      };
    case 'mandatory':
      return {
        verb: `Make ${label} ${value ? 'mandatory' : 'optional'}`,
        effect: mandatoryEffect(release, value),
        said: `${label} is ${value ? 'mandatory' : 'no longer mandatory'}.`,
        danger: value,
      };
  }
}
