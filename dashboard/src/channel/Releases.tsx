// This file's job is to list a channel's releases, newest first, filtered as the address says.
import type { InfiniteData, UseInfiniteQueryResult } from '@tanstack/react-query';
import { Link, useNavigate } from '@tanstack/react-router';
import type { ListReleasesResponse, Release } from '../gen/aloft/v1/releases_pb.js';
import { StandingBadge } from '../parts/Badge.js';
import { Loaded } from '../parts/Loaded.js';
import { Moment } from '../parts/Moment.js';
import { Empty } from '../parts/Screen.js';
import { ShareBar } from '../parts/ShareBar.js';
import { type ChannelSearch, type PlatformWord, platformValue } from '../search.js';
import { PLATFORMS, STANDINGS, type Standing, originWords, shareOf, standing, targetWords } from '../words.js';

interface Props {
  app: string;
  channel: string;
  query: UseInfiniteQueryResult<InfiniteData<ListReleasesResponse>>;
  search: ChannelSearch;
}

export function Releases({ app, channel, query, search }: Props) {
  return (
    <>
      <Filters app={app} channel={channel} search={search} />
      <Loaded query={query} rows={5}>
        {(data) => {
          const releases = data.pages.flatMap((page) => page.releases);
          const shown = releases.filter((release) => matches(release, search));
          return (
            <>
              {shown.length === 0 ? <NothingShown known={releases.length} /> : <Table app={app} channel={channel} releases={shown} search={search} />}
              {query.hasNextPage && (
                <p className="more">
                  <button type="button" className="button" disabled={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>
                    {query.isFetchingNextPage ? 'Loading…' : 'Load older releases'}
                  </button>
                </p>
              )}
            </>
          );
        }}
      </Loaded>
    </>
  );
}

function matches(release: Release, { platform, standing: wanted, find }: ChannelSearch): boolean {
  const words = find?.toLowerCase();
  return (
    (platform === undefined || release.platform === platformValue(platform)) &&
    (wanted === undefined || standing(release) === wanted) &&
    (words === undefined || release.label === words || release.notes.toLowerCase().includes(words))
  );
}

function NothingShown({ known }: { known: number }) {
  return known === 0 ? (
    <Empty title="No releases yet">
      <p>
        Publish a bundle with the command line tool: <code>aloft release --help</code> shows how.
      </p>
    </Empty>
  ) : (
    <Empty title="No release matches these filters" />
  );
}

function Filters({ app, channel, search }: Pick<Props, 'app' | 'channel' | 'search'>) {
  const navigate = useNavigate();
  const set = (change: Partial<Record<keyof ChannelSearch, string>>): void =>
    void navigate({
      to: '/apps/$app/channels/$channel',
      params: { app, channel },
      search: { ...search, ...change } as ChannelSearch,
      replace: true,
      resetScroll: false,
    });
  return (
    <form className="filters" role="search" aria-label="Filter releases" onSubmit={(event) => event.preventDefault()}>
      <select aria-label="Platform" value={search.platform ?? ''} onChange={(event) => set({ platform: event.target.value as PlatformWord })}>
        <option value="">All platforms</option>
        <option value="android">Android</option>
        <option value="ios">iOS</option>
      </select>
      <select aria-label="State" value={search.standing ?? ''} onChange={(event) => set({ standing: event.target.value })}>
        <option value="">All states</option>
        {(Object.keys(STANDINGS) as Standing[]).map((word) => (
          <option key={word} value={word}>
            {STANDINGS[word].word}
          </option>
        ))}
      </select>
      <input type="search" aria-label="Find in labels and notes" placeholder="Find v12 or words in notes" value={search.find ?? ''} onChange={(event) => set({ find: event.target.value })} />
    </form>
  );
}

function Table({ app, channel, releases, search }: { app: string; channel: string; releases: Release[]; search: ChannelSearch }) {
  return (
    <div className="table-frame">
      <table className="table stacking">
        <caption className="only-heard">Releases, newest first</caption>
        <thead>
          <tr>
            <th scope="col">Release</th>
            <th scope="col">Platform</th>
            <th scope="col">Binaries</th>
            <th scope="col">Share</th>
            <th scope="col">State</th>
            <th scope="col">Notes</th>
            <th scope="col">Created</th>
          </tr>
        </thead>
        <tbody>
          {releases.map((release) => (
            <Row key={release.name} app={app} channel={channel} release={release} search={search} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Row({ app, channel, release, search }: { app: string; channel: string; release: Release; search: ChannelSearch }) {
  const now = standing(release);
  return (
    <tr className={now === 'disabled' ? 'row-idle' : undefined}>
      <th scope="row" className="row-link">
        <Link to="/apps/$app/channels/$channel" params={{ app, channel }} search={{ ...search, release: release.label }} activeOptions={{ exact: true }} resetScroll={false} aria-label={`${release.label}: open`}>
          {release.label}
        </Link>
      </th>
      <td data-label="Platform">{PLATFORMS[release.platform]}</td>
      <td data-label="Binaries">
        <span className="target">{targetWords(release.target)}</span>
      </td>
      <td data-label="Share">
        <ShareBar ppm={shareOf(release)} idle={now === 'disabled' || now === 'paused'} />
      </td>
      <td data-label="State">
        <span className="badges">
          <StandingBadge release={release} />
          {release.mandatory && (
            <span className="badge badge-plain" title="Devices install it at once">
              Mandatory
            </span>
          )}
        </span>
      </td>
      <td data-label="Notes" className="notes">
        {release.notes === '' ? <span className="muted">–</span> : release.notes}
      </td>
      <td data-label="Created" className="created">
        <Moment us={release.createdAtUs} />
        <span className="muted">{originWords(release)}</span>
      </td>
    </tr>
  );
}
