// This file's job is to make the clients that talk to the control plane.
import { type Client, type Interceptor, type Transport, createClient } from '@connectrpc/connect';
import { createGrpcWebTransport } from '@connectrpc/connect-web';
import { createContext, useContext } from 'react';
import { AccountService } from '../gen/aloft/v1/accounts_pb.js';
import { AppService } from '../gen/aloft/v1/apps_pb.js';
import { ChannelService } from '../gen/aloft/v1/channels_pb.js';
import { OrganizationService } from '../gen/aloft/v1/organizations_pb.js';
import { PersonService, SignInService } from '../gen/aloft/v1/people_pb.js';
import { ReleaseService } from '../gen/aloft/v1/releases_pb.js';
import { UploadService } from '../gen/aloft/v1/uploads_pb.js';
import type { Session } from '../session.js';

/** Longer than the server's own limit, so that its answer comes first. */
const CALL_TIMEOUT_MS = 35_000;

export interface Clients {
  account: Client<typeof AccountService>;
  signIn: Client<typeof SignInService>;
  person: Client<typeof PersonService>;
  organizations: Client<typeof OrganizationService>;
  apps: Client<typeof AppService>;
  channels: Client<typeof ChannelService>;
  releases: Client<typeof ReleaseService>;
  uploads: Client<typeof UploadService>;
}

/** A person's cookie goes by itself, to the server that the page came from. */
function authorize({ apiKey, organization }: Session): Interceptor {
  return (next) => (request) => {
    if (apiKey !== undefined) {
      request.header.set('authorization', `Bearer ${apiKey}`);
    }
    if (organization !== undefined) {
      request.header.set('aloft-organization', organization);
    }
    return next(request);
  };
}

function transportOf(session: Session): Transport {
  return createGrpcWebTransport({
    baseUrl: session.origin,
    useBinaryFormat: true,
    defaultTimeoutMs: CALL_TIMEOUT_MS,
    interceptors: [authorize(session)],
  });
}

export function createClients(session: Session): Clients {
  const transport = transportOf(session);
  return {
    account: createClient(AccountService, transport),
    signIn: createClient(SignInService, transport),
    person: createClient(PersonService, transport),
    organizations: createClient(OrganizationService, transport),
    apps: createClient(AppService, transport),
    channels: createClient(ChannelService, transport),
    releases: createClient(ReleaseService, transport),
    uploads: createClient(UploadService, transport),
  };
}

export const ClientsContext = createContext<Clients | undefined>(undefined);

export function useClients(): Clients {
  const clients = useContext(ClientsContext);
  if (!clients) {
    throw new Error('there is no ClientsContext around this component');
  }
  return clients;
}
