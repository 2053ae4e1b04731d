// This file's job is to take the token of a mail's link and do what the link is for.
import { useMutation } from '@tanstack/react-query';
import { Link, useNavigate } from '@tanstack/react-router';
import { type ReactNode, useEffect, useState } from 'react';
import { createClients } from '../api/clients.js';
import type { Person } from '../gen/aloft/v1/people_pb.js';
import { TextField } from '../parts/Field.js';
import { Notice } from '../parts/Notice.js';
import { Mark } from '../parts/icons.js';
import { linkToken, personSession, useSession, useSessionStore } from '../session.js';

/** The token, taken out of the address so that neither the history nor a shared screen keeps it. */
function useLinkToken(): string {
  const [token] = useState(() => linkToken(window.location.hash));
  useEffect(() => {
    window.history.replaceState(window.history.state, '', window.location.pathname);
  }, []);
  return token;
}

function Card({ title, children }: { title: string; children: ReactNode }) {
  useEffect(() => {
    document.title = `${title} · Aloft`;
  }, [title]);
  return (
    <main id="main" className="sign-in" tabIndex={-1}>
      <div className="sign-in-card">
        <Mark />
        <h1>{title}</h1>
        {children}
      </div>
    </main>
  );
}

function NewPassword({ value, onChange }: { value: string; onChange: (value: string) => void }) {
  return (
    <TextField label="New password" type="password" autoComplete="new-password" required minLength={12} maxLength={128} hint="12 to 128 characters." value={value} onChange={(event) => onChange(event.target.value)} />
  );
}

export function ResetPasswordScreen() {
  const token = useLinkToken();
  const [password, setPassword] = useState('');
  const reset = useMutation({ mutationFn: () => createClients(personSession()).signIn.resetPassword({ token, password }), retry: false });
  return (
    <Card title="Set a password">
      {reset.isSuccess ? (
        <p role="status">
          The password is set. <Link to="/sign-in">Sign in</Link>
        </p>
      ) : (
        <form
          className="stack"
          onSubmit={(event) => {
            event.preventDefault();
            reset.mutate();
          }}
        >
          <NewPassword value={password} onChange={setPassword} />
          {reset.error && <Notice error={reset.error} />}
          <button type="submit" className="button button-primary button-wide" disabled={reset.isPending}>
            Set the password
          </button>
        </form>
      )}
    </Card>
  );
}

/** For a sign-up and for somebody who was invited and has no account. */
export function SignUpScreen() {
  return <NewAccount title="Make your account" token={useLinkToken()} />;
}

function NewAccount({ title, token }: { title: string; token: string }) {
  const sessions = useSessionStore();
  const navigate = useNavigate();
  const [displayName, setDisplayName] = useState('');
  const [password, setPassword] = useState('');
  const complete = useMutation({
    mutationFn: async (): Promise<Person | undefined> =>
      (await createClients(personSession()).signIn.completeSignUp({ token, displayName, password })).person,
    retry: false,
    onSuccess: (person) => {
      sessions.begin(personSession(person?.memberships[0]?.organizationSlug));
      void navigate({ to: '/' });
    },
  });
  return (
    <Card title={title}>
      <form
        className="stack"
        onSubmit={(event) => {
          event.preventDefault();
          complete.mutate();
        }}
      >
        <TextField label="Your name" autoComplete="name" required autoFocus maxLength={128} value={displayName} onChange={(event) => setDisplayName(event.target.value)} />
        <NewPassword value={password} onChange={setPassword} />
        {complete.error && <Notice error={complete.error} />}
        <button type="submit" className="button button-primary button-wide" disabled={complete.isPending}>
          Make the account
        </button>
      </form>
    </Card>
  );
}

export function InvitationScreen() {
  const token = useLinkToken();
  const session = useSession();
  const sessions = useSessionStore();
  const navigate = useNavigate();
  const accept = useMutation({
    mutationFn: async () => (await createClients(personSession()).organizations.acceptInvitation({ token })).membership,
    retry: false,
    onSuccess: (membership) => {
      sessions.begin(personSession(membership?.organizationSlug));
      void navigate({ to: '/' });
    },
  });
  if (session?.apiKey !== undefined || !session) {
    return <NewAccount title="Accept the invitation" token={token} />;
  }
  return (
    <Card title="Accept the invitation">
      {accept.error && <Notice error={accept.error} />}
      <button type="button" className="button button-primary button-wide" disabled={accept.isPending} onClick={() => accept.mutate()}>
        Become a member
      </button>
    </Card>
  );
}
