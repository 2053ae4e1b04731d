// This file's job is to sign somebody in: with an e-mail address and a password, or with an API key.
import { Code, ConnectError } from '@connectrpc/connect';
import { useMutation, useQuery } from '@tanstack/react-query';
import { Navigate, getRouteApi, useRouter } from '@tanstack/react-router';
import { useEffect, useState } from 'react';
import { createClients } from '../api/clients.js';
import { waysInQuery } from '../api/queries.js';
import { TextField } from '../parts/Field.js';
import { Notice } from '../parts/Notice.js';
import { Mark } from '../parts/icons.js';
import { type Session, isExposed, parseOrigin, personSession, useSession, useSessionStore } from '../session.js';

const route = getRouteApi('/sign-in');

type Way = 'password' | 'forgotten' | 'key';

async function checkKey(session: Session): Promise<Session> {
  await createClients(session).account.getCaller({});
  return session;
}

export function SignInScreen() {
  const session = useSession();
  const { next } = route.useSearch();
  const [way, setWay] = useState<Way>('password');
  const back = useWayBack();
  useEffect(() => {
    document.title = 'Sign in · Aloft';
  }, []);
  if (session) {
    return <Leave to={next} />;
  }
  return (
    <main id="main" className="sign-in" tabIndex={-1}>
      <div className="sign-in-card">
        <Mark />
        <h1>Sign in to Aloft</h1>
        <WhyEnded />
        {back.problem !== undefined && <Notice error={new ConnectError(back.problem, Code.Unauthenticated)} />}
        {way === 'password' && (back.secondStepToken === undefined ? <PasswordForm /> : <SecondStepForm token={back.secondStepToken} />)}
        {back.entered && <Entered />}
        <ProviderLink />
        {way === 'forgotten' && <ForgottenForm />}
        {way === 'key' && <KeyForm />}
        <p className="hint">
          {way !== 'password' && <WayButton onClick={() => setWay('password')}>Use a password</WayButton>}
          {way !== 'forgotten' && <WayButton onClick={() => setWay('forgotten')}>Forgot the password?</WayButton>}
          {way !== 'key' && <WayButton onClick={() => setWay('key')}>Use an API key</WayButton>}
        </p>
      </div>
    </main>
  );
}

/** What the server says to a browser that comes back from the provider, taken out of the address. */
function useWayBack(): { entered: boolean; problem?: string; secondStepToken?: string } {
  const [back] = useState(() => {
    const said = new URLSearchParams(window.location.hash.replace(/^#/, ''));
    const problem = said.get('problem');
    const secondStepToken = said.get('second-step');
    return { entered: said.has('entered'), ...(problem !== null && { problem }), ...(secondStepToken !== null && { secondStepToken }) };
  });
  useEffect(() => {
    if (window.location.hash !== '') {
      window.history.replaceState(window.history.state, '', window.location.pathname + window.location.search);
    }
  }, []);
  return back;
}

/** The cookie is there; only who it is for is not known yet. */
function Entered() {
  const sessions = useSessionStore();
  const person = useQuery({ queryKey: ['entered'], queryFn: () => createClients(personSession()).person.getPerson({}), retry: false });
  useEffect(() => {
    if (person.data) {
      sessions.begin(personSession(person.data.person?.memberships[0]?.organizationSlug));
    }
  }, [person.data, sessions]);
  return person.error && <Notice error={person.error} />;
}

function ProviderLink() {
  const ways = useQuery(waysInQuery(createClients(personSession())));
  const name = ways.data?.providerName ?? '';
  return name === '' ? null : (
    <a className="button button-wide" href="/sign-in/provider">
      Sign in with {name}
    </a>
  );
}

function WayButton({ onClick, children }: { onClick: () => void; children: string }) {
  return (
    <button type="button" className="button button-quiet" onClick={onClick}>
      {children}
    </button>
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

function WhyEnded() {
  const why = useSessionStore().endedBecause();
  return why === undefined ? null : <Notice error={new ConnectError(why, Code.Unauthenticated)} />;
}

function PasswordForm() {
  const sessions = useSessionStore();
  const [email, setEmail] = useState('');
  const [password, setPassword] = useState('');
  const signIn = useMutation({
    mutationFn: () => createClients(personSession()).signIn.signIn({ email, password }),
    retry: false,
    onSuccess: ({ person }) => person && sessions.begin(personSession(person.memberships[0]?.organizationSlug)),
  });
  if (signIn.data && signIn.data.secondStepToken !== '') {
    return <SecondStepForm token={signIn.data.secondStepToken} />;
  }
  return (
    <form
      className="stack"
      onSubmit={(event) => {
        event.preventDefault();
        signIn.mutate();
      }}
    >
      <TextField label="E-mail" type="email" autoComplete="username" required autoFocus value={email} onChange={(event) => setEmail(event.target.value)} />
      <TextField label="Password" type="password" autoComplete="current-password" required value={password} onChange={(event) => setPassword(event.target.value)} />
      {signIn.error && <Notice error={signIn.error} />}
      <button type="submit" className="button button-primary button-wide" disabled={signIn.isPending}>
        {signIn.isPending ? 'Checking…' : 'Sign in'}
      </button>
    </form>
  );
}

function SecondStepForm({ token }: { token: string }) {
  const sessions = useSessionStore();
  const [code, setCode] = useState('');
  const complete = useMutation({
    mutationFn: async () => (await createClients(personSession()).signIn.completeSignIn({ secondStepToken: token, code })).person,
    retry: false,
    onSuccess: (person) => sessions.begin(personSession(person?.memberships[0]?.organizationSlug)),
  });
  return (
    <form
      className="stack"
      onSubmit={(event) => {
        event.preventDefault();
        complete.mutate();
      }}
    >
      <TextField label="Code" required autoFocus autoComplete="one-time-code" hint="Of your authenticator app, or a recovery code." value={code} onChange={(event) => setCode(event.target.value)} />
      {complete.error && <Notice error={complete.error} />}
      <button type="submit" className="button button-primary button-wide" disabled={complete.isPending}>
        {complete.isPending ? 'Checking…' : 'Sign in'}
      </button>
    </form>
  );
}

function ForgottenForm() {
  const [email, setEmail] = useState('');
  const ask = useMutation({
    mutationFn: () => createClients(personSession()).signIn.requestPasswordReset({ email }),
    retry: false,
  });
  if (ask.isSuccess) {
    return <p role="status">If there is an account for {email}, a mail with a link that sets a new password is on its way.</p>;
  }
  return (
    <form
      className="stack"
      onSubmit={(event) => {
        event.preventDefault();
        ask.mutate();
      }}
    >
      <TextField label="E-mail" type="email" autoComplete="username" required autoFocus value={email} onChange={(event) => setEmail(event.target.value)} />
      {ask.error && <Notice error={ask.error} />}
      <button type="submit" className="button button-primary button-wide" disabled={ask.isPending}>
        Send the link
      </button>
    </form>
  );
}

function KeyForm() {
  const sessions = useSessionStore();
  const [server, setServer] = useState(window.location.origin);
  const [apiKey, setApiKey] = useState('');
  const parsed = parseOrigin(server);
  const check = useMutation({ mutationFn: checkKey, retry: false, onSuccess: (session) => sessions.begin(session) });
  const submit = (): void => {
    if (parsed.origin !== undefined) {
      check.mutate({ origin: parsed.origin, apiKey: apiKey.trim() });
    }
  };
  return (
    <form
      className="stack"
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
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
        hint="Kept in this browser tab only, and forgotten when you close it or sign out."
      />
      {check.error && <Notice error={check.error} />}
      <button type="submit" className="button button-primary button-wide" disabled={check.isPending}>
        {check.isPending ? 'Checking…' : 'Sign in'}
      </button>
    </form>
  );
}
