// This file's job is to block a channel, or to let it go on.
import { useAction } from '../api/action.js';
import { useClients } from '../api/clients.js';
import type { Channel } from '../gen/aloft/v1/channels_pb.js';
import { Confirm } from '../parts/Confirm.js';

export function BlockChannel({ channel, onClose }: { channel: Channel; onClose: () => void }) {
  const clients = useClients();
  const blocked = !channel.blocked;
  const change = useAction(
    () =>
      clients.channels.updateChannel({
        channel: { name: channel.name, blocked },
        updateMask: { paths: ['blocked'] },
        etag: channel.etag,
      }),
    () => `${channel.channelName} is ${blocked ? 'blocked' : 'no longer blocked'}.`,
  );
  const effect = blocked
    ? 'From now on the channel offers nothing to anybody. Devices keep what they run. You can unblock it at any time.'
    : 'Devices are offered the channel’s releases again, as their rollouts say.';
  return (
    <Confirm
      title={`${blocked ? 'Block' : 'Unblock'} ${channel.channelName}?`}
      effect={effect}
      verb={blocked ? 'Block channel' : 'Unblock channel'}
      danger={blocked}
      busy={change.isPending}
      error={change.error}
      onConfirm={() => change.mutate(undefined, { onSuccess: onClose })}
      onClose={onClose}
    />
  );
}
