// This file's job is to publish a release's bundle in another channel of the app.
import { useQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { useAction } from '../api/action.js';
import { useClients } from '../api/clients.js';
import { channelsQuery } from '../api/queries.js';
import type { Release } from '../gen/aloft/v1/releases_pb.js';
import { channelName, newRequestId } from '../names.js';
import { Confirm } from '../parts/Confirm.js';
import { SelectField, TextField } from '../parts/Field.js';
import { Loaded } from '../parts/Loaded.js';
import { formatShare, parseShare } from '../percent.js';
import { PLATFORMS, targetWords } from '../words.js';

interface Props {
  app: string;
  channel: string;
  release: Release;
  onClose: () => void;
}

interface Input {
  to: string;
  sharePpm: number;
  requestId: string;
}

export function Promote({ app, channel, release, onClose }: Props) {
  const clients = useClients();
  const navigate = useNavigate();
  const channels = useQuery(channelsQuery(clients, app));
  const others = (channels.data?.items ?? []).map((other) => other.channelName).filter((name) => name !== channel);
  const [picked, setPicked] = useState('');
  const [text, setText] = useState('100');
  const share = parseShare(text);
  const to = picked || others[0];
  const promote = useAction(
    (input: Input) =>
      clients.releases.promoteRelease({
        name: release.name,
        toChannel: channelName(app, input.to),
        sharePpm: input.sharePpm,
        requestId: input.requestId,
      }),
    (answer, input) => `${release.label} is ${answer.release?.label ?? 'a new release'} in ${input.to}.`,
  );
  const submit = (): void => {
    if (to === undefined || share.ppm === undefined) {
      return;
    }
    promote.mutate(
      { to, sharePpm: share.ppm, requestId: newRequestId() },
      {
        onSuccess: (answer) => {
          onClose();
          const search = answer.release ? { release: answer.release.label } : {};
          void navigate({ to: '/apps/$app/channels/$channel', params: { app, channel: to }, search });
        },
      },
    );
  };
  const effect =
    to === undefined
      ? 'The app has no other channel. Create one first.'
      : `A new release in ${to} with the bundle, target, notes and mandatory flag of ${release.label}, for ${share.ppm === undefined ? '…' : formatShare(share.ppm)} of its ${PLATFORMS[release.platform]} devices (${targetWords(release.target)}). This channel stays as it is.`;
  return (
    <Confirm title={`Promote ${release.label}`} effect={effect} verb="Promote" busy={promote.isPending} blocked={to === undefined || share.ppm === undefined} error={promote.error} onConfirm={submit} onClose={onClose}>
      <Loaded query={channels} rows={1}>
        {() => (
          <SelectField label="To channel" value={to ?? ''} onChange={(event) => setPicked(event.target.value)} disabled={others.length === 0}>
            {others.map((name) => (
              <option key={name}>{name}</option>
            ))}
          </SelectField>
        )}
      </Loaded>
      <TextField label="Share in %" inputMode="decimal" value={text} problem={share.problem} onChange={(event) => setText(event.target.value)} />
    </Confirm>
  );
}
