// This file's job is to roll a channel back, after the server has said what that would do.
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useAction } from '../api/action.js';
import { useClients } from '../api/clients.js';
import type { Release, RollBackChannelRequest } from '../gen/aloft/v1/releases_pb.js';
import { Platform } from '../gen/aloft/v1/types_pb.js';
import { channelName, lastPart, newRequestId } from '../names.js';
import { Confirm } from '../parts/Confirm.js';
import { SelectField } from '../parts/Field.js';
import { Notice } from '../parts/Notice.js';
import { PLATFORMS, targetWords } from '../words.js';

interface Props {
  app: string;
  channel: string;
  /** Those to choose from, newest first. */
  releases: readonly Release[];
  /** The release to go back to, when that is settled. */
  chosen?: Release;
  onClose: () => void;
}

type Way = 'previous' | 'release' | 'embedded';

type Destination = Pick<RollBackChannelRequest, 'to'>['to'];

interface Choice {
  platform: Platform;
  way: Way;
  label: string;
  mandatory: boolean;
}

function destination({ way, label }: Choice): Destination {
  switch (way) {
    case 'previous':
      return { case: undefined };
    case 'release':
      return { case: 'release', value: label };
    case 'embedded':
      return { case: 'embedded', value: true };
  }
}

export function RollBack({ app, channel, releases, chosen, onClose }: Props) {
  const clients = useClients();
  const [choice, setChoice] = useState<Choice>({
    platform: chosen?.platform ?? releases[0]?.platform ?? Platform.ANDROID,
    way: chosen ? 'release' : 'previous',
    label: chosen?.label ?? '',
    mandatory: false,
  });
  const request = { name: channelName(app, channel), platform: choice.platform, to: destination(choice), mandatory: choice.mandatory };
  const ready = choice.way !== 'release' || choice.label !== '';
  const preview = useQuery({
    queryKey: ['roll back', app, channel, choice],
    queryFn: ({ signal }) => clients.releases.rollBackChannel({ ...request, validateOnly: true }, { signal }),
    enabled: ready,
    retry: false,
    staleTime: 0,
    placeholderData: keepPreviousData,
  });
  const rollBack = useAction(
    (requestId: string) => clients.releases.rollBackChannel({ ...request, requestId }),
    (answer) => `${PLATFORMS[choice.platform]} devices now go back, with ${answer.release?.label ?? 'a new release'}.`,
  );
  return (
    <Confirm
      title={chosen ? `Roll back to ${chosen.label}` : `Roll back ${channel}`}
      effect={preview.error ? <Notice error={preview.error} /> : <Effect choice={choice} release={preview.data?.release} source={sourceOf(releases, preview.data?.release)} ready={ready} />}
      verb={`Roll back ${PLATFORMS[choice.platform]}`}
      danger
      busy={rollBack.isPending}
      blocked={!ready || !preview.isSuccess || preview.isPlaceholderData}
      error={rollBack.error}
      onConfirm={() => rollBack.mutate(newRequestId(), { onSuccess: onClose })}
      onClose={onClose}
    >
      {!chosen && <Destinations releases={releases} choice={choice} onChoice={setChoice} />}
      <label className="check">
        <input type="checkbox" checked={choice.mandatory} onChange={(event) => setChoice({ ...choice, mandatory: event.target.checked })} />
        <span>Change over at once instead of at the next restart</span>
      </label>
    </Confirm>
  );
}

function Destinations({ releases, choice, onChoice }: { releases: readonly Release[]; choice: Choice; onChoice: (choice: Choice) => void }) {
  const platforms = [...new Set(releases.map((release) => release.platform))].sort();
  const older = releases.filter((release) => release.platform === choice.platform && release.bundle !== '');
  const ways: ReadonlyArray<readonly [Way, string]> = [
    ['previous', 'The release before the current one'],
    ['release', 'A release that I choose'],
    ['embedded', 'The bundle that came with the binary'],
  ];
  const choose = (way: Way): void => onChoice({ ...choice, way, label: way === 'release' ? (older[1]?.label ?? older[0]?.label ?? '') : '' });
  return (
    <>
      <SelectField label="Platform" value={choice.platform} onChange={(event) => onChoice({ ...choice, platform: Number(event.target.value), way: 'previous', label: '' })}>
        {platforms.map((platform) => (
          <option key={platform} value={platform}>
            {PLATFORMS[platform]}
          </option>
        ))}
      </SelectField>
      <fieldset className="choices">
        <legend>Go back to</legend>
        {ways.map(([way, words]) => (
          <label key={way} className="check">
            <input type="radio" name="way" checked={choice.way === way} onChange={() => choose(way)} />
            <span>{words}</span>
          </label>
        ))}
      </fieldset>
      {choice.way === 'release' && (
        <SelectField label="Release" value={choice.label} onChange={(event) => onChoice({ ...choice, label: event.target.value })}>
          {older.map((release) => (
            <option key={release.name} value={release.label}>
              {release.label} {firstLine(release.notes)}
            </option>
          ))}
        </SelectField>
      )}
    </>
  );
}

/** Enough to recognise a release in a list. */
function firstLine(notes: string): string {
  const line = notes.split('\n', 1)[0] ?? '';
  return line === '' ? '' : `– ${line.slice(0, 60)}`;
}

/** The label of the release that the new one copies. */
function sourceOf(releases: readonly Release[], made: Release | undefined): string {
  const source = releases.find((release) => release.releaseId === lastPart(made?.originRelease ?? ''));
  return source?.label ?? 'the earlier release';
}

interface EffectProps {
  choice: Choice;
  /** What the server would make. */
  release: Release | undefined;
  source: string;
  ready: boolean;
}

function Effect({ choice, release, source, ready }: EffectProps) {
  if (!ready) {
    return <p>Choose a release.</p>;
  }
  if (!release) {
    return <p>Asking the server what this would do…</p>;
  }
  const what = release.bundle === '' ? 'that sends devices back to the bundle that came with their binary' : `with the content of ${source}`;
  return (
    <>
      <p>
        The server will make a new release {what}, for all {PLATFORMS[release.platform]} devices ({targetWords(release.target)}).
      </p>
      <p>Devices change over {choice.mandatory ? 'as soon as they have it' : 'at their next restart'}. Nothing is deleted: you can go forward again.</p>
    </>
  );
}
