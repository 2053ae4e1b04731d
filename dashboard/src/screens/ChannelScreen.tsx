// This file's job is to show one channel: what it offers, its releases, its pins, and why a device gets what it gets.
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { Link, getRouteApi } from '@tanstack/react-router';
import { useState } from 'react';
import { useClients } from '../api/clients.js';
import { channelQuery, releasesQuery } from '../api/queries.js';
import { BlockChannel } from '../channel/BlockChannel.js';
import { Explain } from '../channel/Explain.js';
import { Offers } from '../channel/Offers.js';
import { Pins } from '../channel/Pins.js';
import { ReleaseSheet } from '../channel/ReleaseSheet.js';
import { Releases } from '../channel/Releases.js';
import { RollBack } from '../channel/RollBack.js';
import { Badge } from '../parts/Badge.js';
import { Loaded } from '../parts/Loaded.js';
import { Missing, Screen } from '../parts/Screen.js';
import { Tabs } from '../parts/Tabs.js';
import { BackIcon } from '../parts/icons.js';
import type { ChannelTab } from '../search.js';

const route = getRouteApi('/signed-in/apps/$app/channels/$channel');

const TABS: ReadonlyArray<readonly [ChannelTab, string]> = [
  ['releases', 'Releases'],
  ['explain', 'Explain'],
  ['pins', 'Pins'],
];

export function ChannelScreen() {
  const { app, channel } = route.useParams();
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const clients = useClients();
  const detail = useQuery(channelQuery(clients, app, channel));
  const releases = useInfiniteQuery(releasesQuery(clients, app, channel));
  const [asking, setAsking] = useState<'roll back' | 'block'>();
  const known = releases.data?.pages.flatMap((page) => page.releases) ?? [];
  const blocked = detail.data?.blocked ?? false;
  const tab = search.tab ?? 'releases';
  if (detail.error && !detail.data) {
    return <Missing what={channel} error={detail.error} onRetry={() => void detail.refetch()} />;
  }
  return (
    <Screen
      title={channel}
      heading={
        <>
          {channel} {blocked && <Badge tone="bad">Blocked</Badge>}
        </>
      }
      actions={
        detail.data && (
          <>
            <button type="button" className="button" onClick={() => setAsking('block')}>
              {blocked ? 'Unblock' : 'Block'}…
            </button>
            <button type="button" className="button" disabled={known.length === 0} onClick={() => setAsking('roll back')}>
              <BackIcon /> Roll back…
            </button>
          </>
        )
      }
    >
      <section className="card now" aria-labelledby="now">
        <h2 id="now" className="card-title">
          Offered now
        </h2>
        <Loaded query={releases} rows={1}>
          {() => <Offers app={app} channel={channel} releases={known} blocked={blocked} />}
        </Loaded>
      </section>
      <Tabs label="Views of this channel">
        {TABS.map(([name, words]) => (
          <Link
            key={name}
            to="/apps/$app/channels/$channel"
            params={{ app, channel }}
            search={name === 'releases' ? {} : { tab: name }}
            activeOptions={{ exact: true }}
            className="tab"
            aria-current={tab === name ? 'page' : undefined}
          >
            {words}
          </Link>
        ))}
      </Tabs>
      {tab === 'releases' && <Releases app={app} channel={channel} query={releases} search={search} />}
      {tab === 'explain' && <Explain app={app} channel={channel} search={search} />}
      {tab === 'pins' && <Pins app={app} channel={channel} releases={known} />}
      {search.release !== undefined && (
        <ReleaseSheet
          key={search.release}
          app={app}
          channel={channel}
          label={search.release}
          onClose={() => void navigate({ search: ({ release: _, ...rest }) => rest, resetScroll: false })}
        />
      )}
      {asking === 'roll back' && <RollBack app={app} channel={channel} releases={known} onClose={() => setAsking(undefined)} />}
      {asking === 'block' && detail.data && <BlockChannel channel={detail.data} onClose={() => setAsking(undefined)} />}
    </Screen>
  );
}
