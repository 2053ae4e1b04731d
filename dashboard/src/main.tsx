// This file's job is to put the dashboard's parts together and start it.
import { MutationCache, QueryCache, QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { RouterProvider } from '@tanstack/react-router';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { describeFailure, retryWaitMs, shouldRetry } from './api/failure.js';
import { Announcements } from './parts/Announcements.js';
import { makeRouter } from './router.js';
import { SessionContext, createSessionStore } from './session.js';
import './styles.css';
import { applyTheme } from './theme.js';

applyTheme();

const sessions = createSessionStore(sessionStorage);

/** A key that was good and no longer is ends the session. */
function onError(error: unknown): void {
  if (sessions.current() && describeFailure(error).signedOut) {
    sessions.end('The server no longer accepts what you signed in with.');
  }
}

const queries = new QueryClient({
  queryCache: new QueryCache({ onError }),
  mutationCache: new MutationCache({ onError }),
  defaultOptions: {
    // The browser's idea of being online says nothing about a server on the same machine or network.
    queries: { retry: shouldRetry, retryDelay: retryWaitMs, networkMode: 'always' },
    // Every change carries a request id or an etag, so that repeating it does nothing twice.
    mutations: { retry: shouldRetry, retryDelay: retryWaitMs, networkMode: 'always' },
  },
});

const router = makeRouter(sessions);

sessions.subscribe(() => {
  if (!sessions.current()) {
    queries.clear();
    void router.invalidate();
  }
});

const root = document.getElementById('root');
if (!root) {
  throw new Error('index.html has no #root');
}
createRoot(root).render(
  <StrictMode>
    <SessionContext value={sessions}>
      <QueryClientProvider client={queries}>
        <Announcements>
          <RouterProvider router={router} />
        </Announcements>
      </QueryClientProvider>
    </SessionContext>
  </StrictMode>,
);
