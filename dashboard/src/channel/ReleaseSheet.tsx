// This file's job is to show one release and everything that can be done with it.
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { useClients } from '../api/clients.js';
import { releaseQuery } from '../api/queries.js';
import type { Release } from '../gen/aloft/v1/releases_pb.js';
import { Platform } from '../gen/aloft/v1/types_pb.js';
import { StandingBadge } from '../parts/Badge.js';
import { CopyText } from '../parts/CopyText.js';
import { Dialog } from '../parts/Dialog.js';
import { Loaded } from '../parts/Loaded.js';
import { Moment } from '../parts/Moment.js';
import { BackIcon, PromoteIcon } from '../parts/icons.js';
import { hex, shortHex } from '../sizes.js';
import { PLATFORMS, originWords, targetWords } from '../words.js';
import { Promote } from './Promote.js';
import { RollBack } from './RollBack.js';
import { RolloutForm } from './RolloutForm.js';
import { Switches } from './Switches.js';

interface Props {
  app: string;
  channel: string;
  label: string;
  onClose: () => void;
}

export function ReleaseSheet({ app, channel, label, onClose }: Props) {
  const query = useQuery(releaseQuery(useClients(), app, channel, label));
  return (
    <Dialog title={`Release ${label}`} shape="sheet" onClose={onClose}>
      <Loaded query={query} rows={6}>
        {(release) => (
          <div className="stack stack-wide">
            <Facts release={release} />
            <RolloutForm release={release} />
            <Switches release={release} />
            <Elsewhere app={app} channel={channel} release={release} />
          </div>
        )}
      </Loaded>
    </Dialog>
  );
}

function Facts({ release }: { release: Release }) {
  return (
    <section aria-label="About this release">
      <p className="badges">
        <StandingBadge release={release} />
        {release.mandatory && <span className="badge badge-plain">Mandatory</span>}
      </p>
      {release.notes !== '' && <p className="notes-full">{release.notes}</p>}
      <dl className="facts">
        <dt>Platform</dt>
        <dd>{PLATFORMS[release.platform]}</dd>
        <dt>Binaries</dt>
        <dd>{targetWords(release.target)}</dd>
        <dt>Bundle</dt>
        <dd>
          {release.bundle === '' ? (
            'The one that came with the binary'
          ) : (
            <CopyText value={hex(release.bundleSha256)} shown={shortHex(release.bundleSha256)} what="content hash" />
          )}
        </dd>
        <dt>Origin</dt>
        <dd>{originWords(release)}</dd>
        <dt>Created</dt>
        <dd>
          <Moment us={release.createdAtUs} />
        </dd>
        <dt>Id</dt>
        <dd>
          <CopyText value={release.releaseId} what="release id" />
        </dd>
      </dl>
    </section>
  );
}

function Elsewhere({ app, channel, release }: { app: string; channel: string; release: Release }) {
  const [asking, setAsking] = useState<'promote' | 'roll back'>();
  const close = (): void => setAsking(undefined);
  return (
    <section aria-labelledby="elsewhere">
      <h3 id="elsewhere">Use it elsewhere</h3>
      <p className="actions">
        {release.bundle !== '' && (
          <button type="button" className="button" onClick={() => setAsking('promote')}>
            <PromoteIcon /> Promote…
          </button>
        )}
        <button type="button" className="button" onClick={() => setAsking('roll back')}>
          <BackIcon /> Roll back to it…
        </button>
        <Link
          to="/apps/$app/channels/$channel"
          params={{ app, channel }}
          search={{ tab: 'explain', platform: release.platform === Platform.ANDROID ? 'android' : 'ios' }}
          className="button"
        >
          Explain a device
        </Link>
      </p>
      {asking === 'promote' && <Promote app={app} channel={channel} release={release} onClose={close} />}
      {asking === 'roll back' && <RollBack app={app} channel={channel} releases={[release]} chosen={release} onClose={close} />}
    </section>
  );
}
