// This file's job is to list the organization's apps.
import { useQuery } from '@tanstack/react-query';
import { Link, useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { useAction } from '../api/action.js';
import { useClients } from '../api/clients.js';
import { appsQuery } from '../api/queries.js';
import type { App } from '../gen/aloft/v1/apps_pb.js';
import { SLUG_PATTERN, SLUG_RULE, newRequestId } from '../names.js';
import { Confirm } from '../parts/Confirm.js';
import { TextField } from '../parts/Field.js';
import { Loaded } from '../parts/Loaded.js';
import { Moment } from '../parts/Moment.js';
import { Empty, Screen } from '../parts/Screen.js';
import { PlusIcon } from '../parts/icons.js';

export function AppsScreen() {
  const apps = useQuery(appsQuery(useClients()));
  const [creating, setCreating] = useState(false);
  const open = (): void => setCreating(true);
  return (
    <Screen
      title="Apps"
      actions={
        <button type="button" className="button button-primary" onClick={open}>
          <PlusIcon /> New app
        </button>
      }
    >
      <Loaded query={apps}>
        {({ items, cut }) =>
          items.length === 0 ? (
            <Empty title="No apps yet">
              <p>An app holds channels, which devices follow, and uploads, which become releases.</p>
              <button type="button" className="button" onClick={open}>
                Create the first app
              </button>
            </Empty>
          ) : (
            <>
              <ul className="cards">
                {items.map((app) => (
                  <AppCard key={app.name} app={app} />
                ))}
              </ul>
              {cut && <p className="muted">There are more apps than are shown here.</p>}
            </>
          )
        }
      </Loaded>
      {creating && <CreateApp onClose={() => setCreating(false)} />}
    </Screen>
  );
}

function AppCard({ app }: { app: App }) {
  return (
    <li className="card card-link">
      <h2 className="card-title">
        <Link to="/apps/$app" params={{ app: app.slug }}>
          {app.displayName}
        </Link>
      </h2>
      <p className="muted">
        <code>{app.slug}</code>
      </p>
      <p className="muted card-foot">
        Created <Moment us={app.createdAtUs} />
      </p>
    </li>
  );
}

function CreateApp({ onClose }: { onClose: () => void }) {
  const clients = useClients();
  const navigate = useNavigate();
  const [slug, setSlug] = useState('');
  const [displayName, setDisplayName] = useState('');
  const create = useAction(
    (requestId: string) => clients.apps.createApp({ slug, displayName, requestId }),
    () => `${displayName || slug} was created.`,
  );
  const submit = (): void =>
    create.mutate(newRequestId(), { onSuccess: () => void navigate({ to: '/apps/$app', params: { app: slug } }) });
  return (
    <Confirm title="New app" verb="Create app" effect="Next, create a channel for its devices to follow." busy={create.isPending} error={create.error} onConfirm={submit} onClose={onClose}>
      <TextField label="Short name" required autoFocus pattern={SLUG_PATTERN} title={SLUG_RULE} hint={`Used in commands and addresses: ${SLUG_RULE}.`} value={slug} onChange={(event) => setSlug(event.target.value)} />
      <TextField label="Name for people" maxLength={128} hint="The short name when empty." value={displayName} onChange={(event) => setDisplayName(event.target.value)} />
    </Confirm>
  );
}
