// This file's job is to show who belongs to the organization, and to invite, change and remove people.
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useAction } from '../api/action.js';
import { useClients } from '../api/clients.js';
import { callerQuery, invitationsQuery, membersQuery } from '../api/queries.js';
import type { Invitation, Member } from '../gen/aloft/v1/organizations_pb.js';
import { Confirm } from '../parts/Confirm.js';
import { SelectField, TextField } from '../parts/Field.js';
import { Loaded } from '../parts/Loaded.js';
import { Moment } from '../parts/Moment.js';
import { Notice } from '../parts/Notice.js';
import { Screen } from '../parts/Screen.js';
import { useSession } from '../session.js';

const ROLES = ['viewer', 'developer', 'admin', 'owner'] as const;

/** A key shows members; only a person with a managing role changes them. */
function useMayManage(): boolean {
  const session = useSession();
  const { data } = useQuery(callerQuery(useClients()));
  return session?.apiKey === undefined && (data?.role === 'owner' || data?.role === 'admin');
}

export function MembersScreen() {
  const members = useQuery(membersQuery(useClients()));
  const mayManage = useMayManage();
  const [inviting, setInviting] = useState(false);
  return (
    <Screen
      title="Members"
      actions={
        mayManage && (
          <button type="button" className="button button-primary" onClick={() => setInviting(true)}>
            Invite…
          </button>
        )
      }
    >
      <Loaded query={members}>
        {({ items }) => (
          <ul className="cards">
            {items.map((member) => (
              <MemberCard key={member.personId} member={member} mayManage={mayManage} />
            ))}
          </ul>
        )}
      </Loaded>
      {mayManage && <Invitations />}
      {inviting && <Invite onClose={() => setInviting(false)} />}
    </Screen>
  );
}

function MemberCard({ member, mayManage }: { member: Member; mayManage: boolean }) {
  const clients = useClients();
  const { personId } = member;
  const [removing, setRemoving] = useState(false);
  const change = useAction(
    (role: string) => clients.organizations.updateMember({ personId, role }),
    (_, role) => `${member.displayName} is ${role} now.`,
  );
  const remove = useAction(
    () => clients.organizations.removeMember({ personId }),
    () => `${member.displayName} was removed.`,
  );
  return (
    <li className="card">
      <h2 className="card-title">{member.displayName}</h2>
      <p className="muted">{member.email}</p>
      {mayManage ? (
        <SelectField label="Role" value={member.role} disabled={change.isPending} onChange={(event) => change.mutate(event.target.value)}>
          {ROLES.map((role) => (
            <option key={role}>{role}</option>
          ))}
        </SelectField>
      ) : (
        <p>{member.role}</p>
      )}
      {change.error && <Notice error={change.error} />}
      {mayManage && (
        <button type="button" className="button" onClick={() => setRemoving(true)}>
          Remove…
        </button>
      )}
      {removing && (
        <Confirm title={`Remove ${member.displayName}`} verb="Remove" danger effect="They can no longer see or change anything of this organization." busy={remove.isPending} error={remove.error} onConfirm={() => remove.mutate(undefined, { onSuccess: () => setRemoving(false) })} onClose={() => setRemoving(false)} />
      )}
    </li>
  );
}

function Invitations() {
  const invitations = useQuery(invitationsQuery(useClients()));
  return (
    <>
      <h2>Invited</h2>
      <Loaded query={invitations}>
        {(rows) =>
          rows.length === 0 ? (
            <p className="muted">Nobody at the moment.</p>
          ) : (
            <ul className="cards">
              {rows.map((invitation) => (
                <InvitationCard key={invitation.invitationId} invitation={invitation} />
              ))}
            </ul>
          )
        }
      </Loaded>
    </>
  );
}

function InvitationCard({ invitation }: { invitation: Invitation }) {
  const clients = useClients();
  const withdraw = useAction(
    () => clients.organizations.deleteInvitation({ invitationId: invitation.invitationId }),
    () => `The invitation of ${invitation.email} was taken back.`,
  );
  return (
    <li className="card">
      <p>
        {invitation.email} · {invitation.role}
      </p>
      <p className="muted card-foot">
        Ends <Moment us={invitation.expiresAtUs} />
      </p>
      <button type="button" className="button" disabled={withdraw.isPending} onClick={() => withdraw.mutate(undefined)}>
        Take back
      </button>
    </li>
  );
}

function Invite({ onClose }: { onClose: () => void }) {
  const clients = useClients();
  const [email, setEmail] = useState('');
  const [role, setRole] = useState('developer');
  const invite = useAction(
    () => clients.organizations.createInvitation({ email, role }),
    () => `${email} was invited.`,
  );
  return (
    <Confirm title="Invite somebody" verb="Send the invitation" effect="They get a mail whose link makes them a member, within a week." busy={invite.isPending} error={invite.error} onConfirm={() => invite.mutate(undefined, { onSuccess: onClose })} onClose={onClose}>
      <TextField label="E-mail" type="email" required autoFocus value={email} onChange={(event) => setEmail(event.target.value)} />
      <SelectField label="Role" value={role} onChange={(event) => setRole(event.target.value)}>
        {ROLES.map((name) => (
          <option key={name}>{name}</option>
        ))}
      </SelectField>
    </Confirm>
  );
}
