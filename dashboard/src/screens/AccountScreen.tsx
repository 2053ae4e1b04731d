// This file's job is to show a person their account: where they are signed in, how, and a new password.
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useAction } from '../api/action.js';
import { useClients } from '../api/clients.js';
import { personQuery, sessionsQuery } from '../api/queries.js';
import type { Session } from '../gen/aloft/v1/people_pb.js';
import { Confirm } from '../parts/Confirm.js';
import { TextField } from '../parts/Field.js';
import { Loaded } from '../parts/Loaded.js';
import { Moment } from '../parts/Moment.js';
import { Screen } from '../parts/Screen.js';
import { SecondStep } from './SecondStep.js';

export function AccountScreen() {
  const clients = useClients();
  const person = useQuery(personQuery(clients));
  const sessions = useQuery(sessionsQuery(clients));
  const [changing, setChanging] = useState(false);
  return (
    <Screen
      title="Account"
      about={person.data && `${person.data.displayName} · ${person.data.email}`}
      actions={
        <button type="button" className="button" onClick={() => setChanging(true)}>
          Change the password…
        </button>
      }
    >
      <SecondStep />
      <h2>Where you are signed in</h2>
      <Loaded query={sessions}>
        {(rows) => (
          <ul className="cards">
            {rows.map((session) => (
              <SessionCard key={session.sessionId} session={session} />
            ))}
          </ul>
        )}
      </Loaded>
      {changing && <ChangePassword onClose={() => setChanging(false)} />}
    </Screen>
  );
}

function SessionCard({ session }: { session: Session }) {
  const clients = useClients();
  const revoke = useAction(
    () => clients.person.revokeSession({ sessionId: session.sessionId }),
    () => 'That session was ended.',
  );
  return (
    <li className="card">
      <p>{session.current ? 'This browser' : session.kind === 'browser' ? 'A browser' : 'A command line'}</p>
      <p className="muted">
        {session.client} · {session.address}
      </p>
      <p className="muted card-foot">
        Signed in <Moment us={session.createdAtUs} />
      </p>
      {!session.current && (
        <button type="button" className="button" disabled={revoke.isPending} onClick={() => revoke.mutate(undefined)}>
          End it
        </button>
      )}
    </li>
  );
}

function ChangePassword({ onClose }: { onClose: () => void }) {
  const clients = useClients();
  const [currentPassword, setCurrent] = useState('');
  const [newPassword, setNew] = useState('');
  const change = useAction(
    () => clients.person.changePassword({ currentPassword, newPassword }),
    () => 'The password was changed.',
  );
  return (
    <Confirm title="Change the password" verb="Change" effect="Your other sessions end." busy={change.isPending} error={change.error} onConfirm={() => change.mutate(undefined, { onSuccess: onClose })} onClose={onClose}>
      <TextField label="Current password" type="password" autoComplete="current-password" required autoFocus value={currentPassword} onChange={(event) => setCurrent(event.target.value)} />
      <TextField label="New password" type="password" autoComplete="new-password" required minLength={12} maxLength={128} hint="12 to 128 characters." value={newPassword} onChange={(event) => setNew(event.target.value)} />
    </Confirm>
  );
}
