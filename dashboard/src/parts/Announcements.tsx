// This file's job is to say what was done, on screen and to screen readers.
import { type ReactNode, createContext, useCallback, useContext, useEffect, useState } from 'react';

/** Long enough to read a sentence twice. */
const SHOWN_MS = 7_000;

const AnnounceContext = createContext<(text: string) => void>(() => undefined);

export function useAnnounce(): (text: string) => void {
  return useContext(AnnounceContext);
}

export function Announcements({ children }: { children: ReactNode }) {
  const [said, setSaid] = useState<{ text: string; count: number }>({ text: '', count: 0 });
  const announce = useCallback((text: string) => setSaid(({ count }) => ({ text, count: count + 1 })), []);
  useEffect(() => {
    if (said.text === '') {
      return undefined;
    }
    const timer = setTimeout(() => setSaid(({ count }) => ({ text: '', count })), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [said]);
  return (
    <AnnounceContext value={announce}>
      {children}
      <div className="toasts" role="status" aria-live="polite">
        {said.text !== '' && (
          <p className="toast" key={said.count}>
            {said.text}
          </p>
        )}
      </div>
    </AnnounceContext>
  );
}
