// This file's job is to let only somebody who is signed in past the sign-in screen.
import { Navigate, useLocation } from '@tanstack/react-router';
import { type ReactNode, useEffect, useMemo, useRef } from 'react';
import { ClientsContext, createClients } from '../api/clients.js';
import { Shell } from '../parts/Shell.js';
import { useSession } from '../session.js';

export function SignedIn({ children }: { children: ReactNode }) {
  const session = useSession();
  const location = useLocation();
  const clients = useMemo(() => session && createClients(session), [session]);
  useFocusOnArrival(location.pathname);
  if (location.pathname === '/sign-in') {
    return children;
  }
  if (!clients) {
    return <Navigate to="/sign-in" search={location.href === '/' ? {} : { next: location.href }} replace />;
  }
  return (
    <ClientsContext value={clients}>
      <Shell>{children}</Shell>
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
