// This file's job is to frame every screen of somebody who is signed in: where they are, who they are.
import { useMutation, useQuery } from '@tanstack/react-query';
import { Link, useParams } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import { useClients } from '../api/clients.js';
import { callerQuery } from '../api/queries.js';
import { useSession, useSessionStore } from '../session.js';
import { useTheme } from '../theme.js';
import { ChevronIcon, Mark, ThemeIcon } from './icons.js';

/** Only the page itself is marked as the current one, whatever its filters. */
const EXACT = { exact: true, includeSearch: false } as const;

export function Shell({ children }: { children: ReactNode }) {
  return (
    <div className="shell">
      <a className="skip" href="#main">
        Skip to the content
      </a>
      <header className="bar">
        <div className="bar-inner">
          <Crumbs />
          <Who />
        </div>
      </header>
      {children}
    </div>
  );
}

function Crumbs() {
  const { app, channel } = useParams({ strict: false });
  return (
    <nav className="crumbs" aria-label="Where you are">
      <Link to="/" activeOptions={EXACT} className="home" aria-label="Aloft: all apps">
        <Mark />
        <span className="wordmark">Aloft</span>
      </Link>
      {app !== undefined && (
        <>
          <ChevronIcon />
          <Link to="/apps/$app" params={{ app }} activeOptions={EXACT} className="crumb">
            {app}
          </Link>
        </>
      )}
      {app !== undefined && channel !== undefined && (
        <>
          <ChevronIcon />
          <Link to="/apps/$app/channels/$channel" params={{ app, channel }} activeOptions={EXACT} className="crumb">
            {channel}
          </Link>
        </>
      )}
    </nav>
  );
}

function Who() {
  const sessions = useSessionStore();
  const clients = useClients();
  const session = useSession();
  const { data } = useQuery(callerQuery(clients));
  const isPerson = session?.apiKey === undefined;
  const signOut = useMutation({ mutationFn: () => clients.person.signOut({}), retry: false, onSettled: () => sessions.end() });
  const [theme, turnTheme] = useTheme();
  return (
    <div className="who">
      {data && (
        <p className="who-name" title={`${data.credential} · server ${data.serverVersion}`}>
          <span>{data.organizationName}</span> <span className="muted">{data.role}</span>
        </p>
      )}
      <Link to="/members" className="crumb">
        Members
      </Link>
      {isPerson && (
        <Link to="/account" className="crumb">
          Account
        </Link>
      )}
      <button type="button" className="button-icon" onClick={turnTheme} aria-label={`Colours: ${theme}. Change`} title={`Colours: ${theme}`}>
        <ThemeIcon />
      </button>
      <button type="button" className="button button-quiet" onClick={() => (isPerson ? signOut.mutate() : sessions.end())}>
        Sign out
      </button>
    </div>
  );
}
