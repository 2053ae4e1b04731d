// This file's job is to show what a query holds: its data, that it is on its way, or why it is not there.
import type { UseQueryResult } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { Notice } from './Notice.js';

interface Props<Data> {
  query: Pick<UseQueryResult<Data>, 'data' | 'error' | 'refetch' | 'failureCount'>;
  /** Rows of grey while the first answer is awaited. */
  rows?: number;
  children: (data: NonNullable<Data>) => ReactNode;
}

/** Data that was shown stays on screen when a later read fails; the failure stands above it. */
export function Loaded<Data>({ query, rows = 3, children }: Props<Data>) {
  const { data, error } = query;
  const retry = (): void => void query.refetch();
  return (
    <>
      {error && <Notice error={error} onRetry={retry} />}
      {data !== undefined && data !== null && children(data)}
      {(data === undefined || data === null) && !error && <Waiting rows={rows} tries={query.failureCount} />}
    </>
  );
}

function Waiting({ rows, tries }: { rows: number; tries: number }) {
  return (
    <div className="waiting" role="status">
      <span className="only-heard">Loading</span>
      {tries > 0 && <p className="muted">The server did not answer; trying again…</p>}
      {Array.from({ length: rows }, (_, row) => (
        <div className="skeleton" key={row} />
      ))}
    </div>
  );
}
