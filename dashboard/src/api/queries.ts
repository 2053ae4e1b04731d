// This file's job is to name every read of the dashboard: its cache key, its call, how often it is repeated.
import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query';
import type { DevicePin, ExplainRequest } from '../gen/aloft/v1/channels_pb.js';
import type { Upload } from '../gen/aloft/v1/uploads_pb.js';
import { appName, channelName, releaseName } from '../names.js';
import { UPLOAD_STATES } from '../words.js';
import type { Clients } from './clients.js';
import { everyPage } from './pages.js';

/** How soon somebody else's change is seen. */
const WATCH_MS = 5_000;

/** While an upload is being worked on. */
const WATCH_BUSY_MS = 1_500;

/** Releases fetched at once. */
const RELEASE_PAGE_SIZE = 50;

/** The largest page that the server gives. */
const PAGE_SIZE_MAX = 1_000;

export const callerQuery = (clients: Clients) =>
  queryOptions({ queryKey: ['caller'], queryFn: ({ signal }) => clients.account.getCaller({}, { signal }), staleTime: 60_000 });

export const personQuery = (clients: Clients) =>
  queryOptions({ queryKey: ['person'], queryFn: async ({ signal }) => (await clients.person.getPerson({}, { signal })).person });

export const waysInQuery = (clients: Clients) =>
  queryOptions({ queryKey: ['ways-in'], queryFn: ({ signal }) => clients.signIn.getWaysIn({}, { signal }), staleTime: 60_000 });

export const secondStepQuery = (clients: Clients) =>
  queryOptions({
    queryKey: ['second-step'],
    queryFn: async ({ signal }) => {
      const { secondStep, recoveryCodesLeft } = await clients.person.getPerson({}, { signal });
      return { isOn: secondStep, recoveryCodesLeft };
    },
  });

export const sessionsQuery = (clients: Clients) =>
  queryOptions({ queryKey: ['sessions'], queryFn: async ({ signal }) => (await clients.person.listSessions({}, { signal })).sessions });

export const membersQuery = (clients: Clients) =>
  queryOptions({
    queryKey: ['members'],
    queryFn: ({ signal }) =>
      everyPage(async (pageToken) => {
        const page = await clients.organizations.listMembers({ pageSize: PAGE_SIZE_MAX, pageToken }, { signal });
        return [page.members, page.nextPageToken];
      }),
  });

export const invitationsQuery = (clients: Clients) =>
  queryOptions({
    queryKey: ['invitations'],
    queryFn: async ({ signal }) => (await clients.organizations.listInvitations({}, { signal })).invitations,
  });

export const appsQuery = (clients: Clients) =>
  queryOptions({
    queryKey: ['apps'],
    queryFn: ({ signal }) =>
      everyPage(async (pageToken) => {
        const page = await clients.apps.listApps({ pageSize: PAGE_SIZE_MAX, pageToken }, { signal });
        return [page.apps, page.nextPageToken];
      }),
  });

export const appQuery = (clients: Clients, app: string) =>
  queryOptions({
    queryKey: ['app', app],
    queryFn: async ({ signal }) => (await clients.apps.getApp({ name: appName(app) }, { signal })).app,
  });

export const channelsQuery = (clients: Clients, app: string) =>
  queryOptions({
    queryKey: ['channels', app],
    queryFn: ({ signal }) =>
      everyPage(async (pageToken) => {
        const request = { parent: appName(app), pageSize: PAGE_SIZE_MAX, pageToken };
        const page = await clients.channels.listChannels(request, { signal });
        return [page.channels, page.nextPageToken];
      }),
  });

export const channelQuery = (clients: Clients, app: string, channel: string) =>
  queryOptions({
    queryKey: ['channel', app, channel],
    queryFn: async ({ signal }) =>
      (await clients.channels.getChannel({ name: channelName(app, channel) }, { signal })).channel,
    refetchInterval: WATCH_MS,
  });

export const releasesQuery = (clients: Clients, app: string, channel: string) =>
  infiniteQueryOptions({
    queryKey: ['releases', app, channel],
    queryFn: ({ signal, pageParam }) => {
      const request = { parent: channelName(app, channel), pageSize: RELEASE_PAGE_SIZE, pageToken: pageParam };
      return clients.releases.listReleases(request, { signal });
    },
    initialPageParam: '',
    getNextPageParam: (page) => page.nextPageToken || undefined,
    refetchInterval: WATCH_MS,
  });

export const releaseQuery = (clients: Clients, app: string, channel: string, label: string) =>
  queryOptions({
    queryKey: ['release', app, channel, label],
    queryFn: async ({ signal }) =>
      (await clients.releases.getRelease({ name: releaseName(app, channel, label) }, { signal })).release,
    refetchInterval: WATCH_MS,
  });

export const pinsQuery = (clients: Clients, app: string, channel: string) =>
  queryOptions({
    queryKey: ['pins', app, channel],
    queryFn: ({ signal }) =>
      everyPage<DevicePin>(async (pageToken) => {
        const request = { parent: channelName(app, channel), pageSize: PAGE_SIZE_MAX, pageToken };
        const page = await clients.channels.listDevicePins(request, { signal });
        return [page.pins, page.nextPageToken];
      }),
  });

export const uploadsQuery = (clients: Clients, app: string) =>
  queryOptions({
    queryKey: ['uploads', app],
    queryFn: ({ signal }) =>
      everyPage<Upload>(async (pageToken) => {
        const page = await clients.uploads.listUploads({ parent: appName(app), pageSize: PAGE_SIZE_MAX, pageToken }, { signal });
        return [page.uploads, page.nextPageToken];
      }),
    refetchInterval: (query) =>
      query.state.data?.items.some((upload) => !UPLOAD_STATES[upload.state].final) ? WATCH_BUSY_MS : WATCH_MS,
  });

/** What Explain is asked, without the channel. */
export type Question = Pick<ExplainRequest, 'device' | 'platform' | 'binaryVersion' | 'runtimeVersion' | 'currentBundle'>;

export const explainQuery = (clients: Clients, app: string, channel: string, question: Question, key: readonly string[]) =>
  queryOptions({
    queryKey: ['explain', app, channel, ...key],
    queryFn: ({ signal }) => clients.channels.explain({ channel: channelName(app, channel), ...question }, { signal }),
  });
