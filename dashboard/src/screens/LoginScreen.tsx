// This file's job is to ask a person whether a command line may act as them.
import { useMutation, useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { useState } from 'react';
import { useClients } from '../api/clients.js';
import { personQuery } from '../api/queries.js';
import { SelectField, TextField } from '../parts/Field.js';
import { Moment } from '../parts/Moment.js';
import { Notice } from '../parts/Notice.js';
import { Empty, Screen } from '../parts/Screen.js';
import { useSession } from '../session.js';

const route = getRouteApi('/signed-in/login');

export function LoginScreen() {
  const session = useSession();
  const { code } = route.useSearch();
  const [userCode, setUserCode] = useState(code ?? '');
  const clients = useClients();
  const look = useMutation({ mutationFn: () => clients.person.getLogin({ userCode }), retry: false });
  if (session?.apiKey !== undefined) {
    return (
      <Screen title="Log a command line in">
        <Empty title="Only a person can do this.">
          <p>Sign out, then sign in with a password.</p>
        </Empty>
      </Screen>
    );
  }
  return (
    <Screen title="Log a command line in">
      {look.data ? (
        <Question userCode={userCode} client={look.data.client} address={look.data.address} createdAtUs={look.data.createdAtUs} />
      ) : (
        <form
          className="stack"
          onSubmit={(event) => {
            event.preventDefault();
            look.mutate();
          }}
        >
          <TextField label="Code" required autoFocus autoCapitalize="characters" placeholder="WDJB-MJHT" hint="The command line shows it." value={userCode} onChange={(event) => setUserCode(event.target.value)} />
          {look.error && <Notice error={look.error} />}
          <button type="submit" className="button button-primary" disabled={look.isPending}>
            Continue
          </button>
        </form>
      )}
    </Screen>
  );
}

interface Asked {
  userCode: string;
  client: string;
  address: string;
  createdAtUs: bigint;
}

function Question({ userCode, client, address, createdAtUs }: Asked) {
  const clients = useClients();
  const session = useSession();
  const person = useQuery(personQuery(clients));
  const places = person.data?.memberships ?? [];
  const [chosen, setChosen] = useState(session?.organization);
  const organization = chosen ?? places[0]?.organizationSlug ?? '';
  const decide = useMutation({
    mutationFn: (approve: boolean) => clients.person.decideLogin({ userCode, approve, organization }),
    retry: false,
  });
  if (decide.isSuccess) {
    return <p role="status">{decide.variables ? 'The command line is logged in. You can close this page.' : 'The login was denied.'}</p>;
  }
  return (
    <div className="stack">
      <p>
        Something that calls itself <strong>{client || 'nothing'}</strong> wants to act as you. It called from {address} <Moment us={createdAtUs} />.
      </p>
      <p>
        Approve only if you began this, and if it shows the code <code>{userCode.toUpperCase()}</code>.
      </p>
      <SelectField label="Organization that it may touch" value={organization} onChange={(event) => setChosen(event.target.value)}>
        {places.map((place) => (
          <option key={place.organizationId} value={place.organizationSlug}>
            {place.organizationName}
          </option>
        ))}
        <option value="">All of mine</option>
      </SelectField>
      {decide.error && <Notice error={decide.error} />}
      <div className="dialog-actions">
        <button type="button" className="button" disabled={decide.isPending} onClick={() => decide.mutate(false)}>
          Deny
        </button>
        <button type="button" className="button button-primary" disabled={decide.isPending || person.isPending} onClick={() => decide.mutate(true)}>
          Approve
        </button>
      </div>
    </div>
  );
}
