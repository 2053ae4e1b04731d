// This file's job is to list, make and remove pins: devices that get one release whatever their bucket.
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useAction } from '../api/action.js';
import { useClients } from '../api/clients.js';
import { pinsQuery } from '../api/queries.js';
import type { DevicePin } from '../gen/aloft/v1/channels_pb.js';
import type { Release } from '../gen/aloft/v1/releases_pb.js';
import { channelName, lastPart } from '../names.js';
import { Confirm } from '../parts/Confirm.js';
import { SelectField, TextField } from '../parts/Field.js';
import { Loaded } from '../parts/Loaded.js';
import { Moment } from '../parts/Moment.js';
import { Notice } from '../parts/Notice.js';
import { Empty } from '../parts/Screen.js';
import { PLATFORMS } from '../words.js';

interface Props {
  app: string;
  channel: string;
  releases: readonly Release[];
}

export function Pins({ app, channel, releases }: Props) {
  const pins = useQuery(pinsQuery(useClients(), app, channel));
  const [removing, setRemoving] = useState<DevicePin>();
  return (
    <>
      <AddPin app={app} channel={channel} releases={releases} />
      <Loaded query={pins}>
        {({ items, cut }) =>
          items.length === 0 ? (
            <Empty title="No pins">
              <p>Pin a test device to try a release before anybody else gets it.</p>
            </Empty>
          ) : (
            <>
              <PinTable pins={items} releases={releases} onRemove={setRemoving} />
              {cut && <p className="muted">There are more pins than are shown here.</p>}
            </>
          )
        }
      </Loaded>
      {removing && <RemovePin app={app} channel={channel} pin={removing} onClose={() => setRemoving(undefined)} />}
    </>
  );
}

function PinTable({ pins, releases, onRemove }: { pins: DevicePin[]; releases: readonly Release[]; onRemove: (pin: DevicePin) => void }) {
  const labelOf = (name: string): string => releases.find((release) => release.name === name)?.label ?? lastPart(name);
  return (
    <div className="table-frame">
      <table className="table stacking">
        <caption className="only-heard">Pinned devices</caption>
        <thead>
          <tr>
            <th scope="col">Device</th>
            <th scope="col">Release</th>
            <th scope="col">Since</th>
            <th scope="col">
              <span className="only-heard">Remove</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {pins.map((pin) => (
            <tr key={pin.device}>
              <th scope="row">
                <code>{pin.device}</code>
              </th>
              <td data-label="Release">{labelOf(pin.release)}</td>
              <td data-label="Since">
                <Moment us={pin.createdAtUs} />
              </td>
              <td className="row-actions">
                <button type="button" className="button button-quiet" aria-label={`Remove the pin of ${pin.device}`} onClick={() => onRemove(pin)}>
                  Remove…
                </button>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function AddPin({ app, channel, releases }: Props) {
  const clients = useClients();
  const [device, setDevice] = useState('');
  const [picked, setPicked] = useState('');
  const label = picked || releases[0]?.label || '';
  const pin = useAction(
    () => clients.channels.pinDevice({ parent: channelName(app, channel), device: device.trim(), release: label }),
    () => `${device.trim()} is pinned to ${label}.`,
  );
  return (
    <form
      className="card inline-form"
      onSubmit={(event) => {
        event.preventDefault();
        pin.mutate(undefined, { onSuccess: () => setDevice('') });
      }}
    >
      <TextField label="Device" required maxLength={128} placeholder="Its id, or the name its client chose" value={device} onChange={(event) => setDevice(event.target.value)} />
      <SelectField label="Release" value={label} onChange={(event) => setPicked(event.target.value)} disabled={releases.length === 0}>
        {releases.map((release) => (
          <option key={release.name} value={release.label}>
            {release.label} · {PLATFORMS[release.platform]}
          </option>
        ))}
      </SelectField>
      <button type="submit" className="button button-primary" disabled={pin.isPending || label === ''}>
        Pin device
      </button>
      {pin.error && <Notice error={pin.error} />}
    </form>
  );
}

function RemovePin({ app, channel, pin, onClose }: { app: string; channel: string; pin: DevicePin; onClose: () => void }) {
  const clients = useClients();
  const remove = useAction(
    () => clients.channels.unpinDevice({ parent: channelName(app, channel), device: pin.device }),
    () => `${pin.device} is no longer pinned.`,
  );
  return (
    <Confirm
      title="Remove the pin?"
      effect={
        <>
          <code>{pin.device}</code> gets what its bucket says from its next check on.
        </>
      }
      verb="Remove pin"
      danger
      busy={remove.isPending}
      error={remove.error}
      onConfirm={() => remove.mutate(undefined, { onSuccess: onClose })}
      onClose={onClose}
    />
  );
}
