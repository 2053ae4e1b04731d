// This file's job is to frame a screen: its heading, its document title, its actions.
import { type ReactNode, useEffect } from 'react';
import { Notice } from './Notice.js';

interface Props {
  /** The document's title; the heading too unless another is given. */
  title: string;
  heading?: ReactNode;
  about?: ReactNode;
  actions?: ReactNode;
  children: ReactNode;
}

export function Screen({ title, heading, about, actions, children }: Props) {
  useEffect(() => {
    document.title = `${title} · Aloft`;
  }, [title]);
  return (
    <main id="main" tabIndex={-1}>
      <header className="screen-head">
        <div>
          <h1>{heading ?? title}</h1>
          {about && <div className="about">{about}</div>}
        </div>
        {actions && <div className="actions">{actions}</div>}
      </header>
      {children}
    </main>
  );
}

/** The whole screen cannot be shown. */
export function Missing({ what, error, onRetry }: { what: string; error: unknown; onRetry: () => void }) {
  return (
    <Screen title={what}>
      <Notice error={error} onRetry={onRetry} />
    </Screen>
  );
}

export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="empty">
      <p className="empty-title">{title}</p>
      {children}
    </div>
  );
}
