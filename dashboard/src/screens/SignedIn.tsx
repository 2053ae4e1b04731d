// This file's job is to let only somebody who is signed in to the screens behind it.
import { Outlet, useLocation } from '@tanstack/react-router';
import { useEffect, useMemo, useRef } from 'react';
import { ClientsContext, createClients } from '../api/clients.js';
import { Shell } from '../parts/Shell.js';
import { useSession } from '../session.js';

export function SignedIn() {
  const session = useSession();
  const location = useLocation();
  const clients = useMemo(() => session && createClients(session), [session]);
  useFocusOnArrival(location.pathname);
  if (!clients) {
    // The session has just ended; the route's guard is on its way to the sign-in screen.
    return null;
  }
  return (
    <ClientsContext value={clients}>
      <Shell>
        <Outlet />
      </Shell>
    </ClientsContext>
  );
}

/** A new screen takes the focus, as a new page would. */
function useFocusOnArrival(pathname: string): void {
  const last = useRef(pathname);
  useEffect(() => {
    if (last.current !== pathname) {
      last.current = pathname;
      document.getElementById('main')?.focus({ preventScroll: true });
    }
  }, [pathname]);
}
