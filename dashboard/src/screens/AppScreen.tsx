// This file's job is to show one app: its channels, its uploads.
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { Link, getRouteApi, useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { useAction } from '../api/action.js';
import { useClients } from '../api/clients.js';
import { appQuery, channelsQuery, releasesQuery } from '../api/queries.js';
import { Offers } from '../channel/Offers.js';
import type { Channel } from '../gen/aloft/v1/channels_pb.js';
import { SLUG_PATTERN, SLUG_RULE, appName, newRequestId } from '../names.js';
import { Badge } from '../parts/Badge.js';
import { Confirm } from '../parts/Confirm.js';
import { CopyText } from '../parts/CopyText.js';
import { TextField } from '../parts/Field.js';
import { Loaded } from '../parts/Loaded.js';
import { Moment } from '../parts/Moment.js';
import { Empty, Missing, Screen } from '../parts/Screen.js';
import { Tabs } from '../parts/Tabs.js';
import { PlusIcon } from '../parts/icons.js';
import { Uploads } from '../uploads/Uploads.js';

const route = getRouteApi('/signed-in/apps/$app');

export function AppScreen() {
  const { app } = route.useParams();
  const { tab = 'channels' } = route.useSearch();
  const query = useQuery(appQuery(useClients(), app));
  const [creating, setCreating] = useState(false);
  if (query.error && !query.data) {
    return <Missing what={app} error={query.error} onRetry={() => void query.refetch()} />;
  }
  return (
    <Screen
      title={query.data?.displayName ?? app}
      about={query.data && <CopyText value={query.data.appId} what="app id" />}
      actions={
        tab === 'channels' && (
          <button type="button" className="button button-primary" onClick={() => setCreating(true)}>
            <PlusIcon /> New channel
          </button>
        )
      }
    >
      <Tabs label="Views of this app">
        <Link to="/apps/$app" params={{ app }} search={{}} activeOptions={{ exact: true }} className="tab" aria-current={tab === 'channels' ? 'page' : undefined}>
          Channels
        </Link>
        <Link to="/apps/$app" params={{ app }} search={{ tab: 'uploads' }} activeOptions={{ exact: true }} className="tab" aria-current={tab === 'uploads' ? 'page' : undefined}>
          Uploads
        </Link>
      </Tabs>
      {tab === 'uploads' ? <Uploads app={app} /> : <Channels app={app} onCreate={() => setCreating(true)} />}
      {creating && <CreateChannel app={app} onClose={() => setCreating(false)} />}
    </Screen>
  );
}

function Channels({ app, onCreate }: { app: string; onCreate: () => void }) {
  const channels = useQuery(channelsQuery(useClients(), app));
  return (
    <Loaded query={channels}>
      {({ items, cut }) =>
        items.length === 0 ? (
          <Empty title="No channels yet">
            <p>Devices follow a channel; “production” and “staging” are usual.</p>
            <button type="button" className="button" onClick={onCreate}>
              Create the first channel
            </button>
          </Empty>
        ) : (
          <>
            <ul className="rows">
              {items.map((channel) => (
                <ChannelRow key={channel.name} app={app} channel={channel} />
              ))}
            </ul>
            {cut && <p className="muted">There are more channels than are shown here.</p>}
          </>
        )
      }
    </Loaded>
  );
}

function ChannelRow({ app, channel }: { app: string; channel: Channel }) {
  const name = channel.channelName;
  const releases = useInfiniteQuery(releasesQuery(useClients(), app, name));
  return (
    <li className="card channel-row">
      <div>
        <h2 className="card-title">
          <Link to="/apps/$app/channels/$channel" params={{ app, channel: name }}>
            {name}
          </Link>{' '}
          {channel.blocked && <Badge tone="bad">Blocked</Badge>}
        </h2>
        <p className="muted">
          Created <Moment us={channel.createdAtUs} />
        </p>
      </div>
      <Loaded query={releases} rows={1}>
        {(data) => <Offers app={app} channel={name} releases={data.pages.flatMap((page) => page.releases)} blocked={channel.blocked} />}
      </Loaded>
    </li>
  );
}

function CreateChannel({ app, onClose }: { app: string; onClose: () => void }) {
  const clients = useClients();
  const navigate = useNavigate();
  const [name, setName] = useState('');
  const create = useAction(
    (requestId: string) => clients.channels.createChannel({ parent: appName(app), channelName: name, requestId }),
    () => `The channel ${name} was created.`,
  );
  const submit = (): void =>
    create.mutate(newRequestId(), {
      onSuccess: () => void navigate({ to: '/apps/$app/channels/$channel', params: { app, channel: name } }),
    });
  return (
    <Confirm title="New channel" verb="Create channel" effect="Devices that name this channel are offered its releases; at first there are none." busy={create.isPending} error={create.error} onConfirm={submit} onClose={onClose}>
      <TextField label="Name" required autoFocus pattern={SLUG_PATTERN} title={SLUG_RULE} placeholder="production" hint={`Devices send it: ${SLUG_RULE}.`} value={name} onChange={(event) => setName(event.target.value)} />
    </Confirm>
  );
}
