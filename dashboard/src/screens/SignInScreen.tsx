// This file's job is to sign somebody in with an API key.
import { Code, ConnectError } from '@connectrpc/connect';
import { useMutation } from '@tanstack/react-query';
import { Navigate, getRouteApi, useRouter } from '@tanstack/react-router';
import { useEffect, useState } from 'react';
import { createClients } from '../api/clients.js';
import { TextField } from '../parts/Field.js';
import { Notice } from '../parts/Notice.js';
import { Mark } from '../parts/icons.js';
import { type Session, isExposed, parseOrigin, useSession, useSessionStore } from '../session.js';

const route = getRouteApi('/sign-in');

async function checkKey(session: Session): Promise<Session> {
  await createClients(session).account.getCaller({});
  return session;
}

export function SignInScreen() {
  const session = useSession();
  const { next } = route.useSearch();
  if (session) {
    return <Leave to={next} />;
  }
  return (
    <main id="main" className="sign-in" tabIndex={-1}>
      <div className="sign-in-card">
        <Mark />
        <h1>Sign in to Aloft</h1>
        <SignInForm />
        <p className="hint">
          For now the dashboard signs in with an API key. Accounts with passwords come later. The key stays in this browser tab and is
          forgotten when you close it or sign out.
        </p>
      </div>
    </main>
  );
}

function Leave({ to }: { to: string | undefined }) {
  const router = useRouter();
  useEffect(() => {
    if (to !== undefined) {
      router.history.replace(to);
    }
  }, [router, to]);
  return to === undefined ? <Navigate to="/" replace /> : null;
}

function SignInForm() {
  const sessions = useSessionStore();
  const [server, setServer] = useState(window.location.origin);
  const [apiKey, setApiKey] = useState('');
  const parsed = parseOrigin(server);
  const check = useMutation({ mutationFn: checkKey, retry: false, onSuccess: (session) => sessions.begin(session) });
  const why = sessions.endedBecause();
  const submit = (): void => {
    if (parsed.origin !== undefined) {
      check.mutate({ origin: parsed.origin, apiKey: apiKey.trim() });
    }
  };
  useEffect(() => {
    document.title = 'Sign in · Aloft';
  }, []);
  return (
    <form
      className="stack"
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      {why !== undefined && !check.error && <Notice error={new ConnectError(why, Code.Unauthenticated)} />}
      <TextField
        label="Server"
        inputMode="url"
        required
        value={server}
        onChange={(event) => setServer(event.target.value)}
        problem={parsed.problem}
        hint={parsed.origin !== undefined && isExposed(parsed.origin) ? 'This address is not encrypted: the key can be read on the way.' : undefined}
      />
      <TextField
        label="API key"
        type="password"
        required
        autoFocus
        placeholder="cp_live_…"
        value={apiKey}
        onChange={(event) => setApiKey(event.target.value)}
        hint="Printed once when the server first started."
      />
      {check.error && <Notice error={check.error} />}
      <button type="submit" className="button button-primary button-wide" disabled={check.isPending}>
        {check.isPending ? 'Checking…' : 'Sign in'}
      </button>
    </form>
  );
}
