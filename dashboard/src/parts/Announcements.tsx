// This file's job is to say what was done, on screen and to screen readers.
import { type ReactNode, createContext, useCallback, useContext, useEffect, useMemo, useState } from 'react';
import { createPortal } from 'react-dom';

/** Long enough to read a sentence twice. */
const SHOWN_MS = 7_000;

interface Announcer {
  announce: (text: string) => void;
  addSlot: (slot: HTMLElement | null) => (() => void) | undefined;
}

const AnnouncerContext = createContext<Announcer>({ announce: () => undefined, addSlot: () => undefined });

export function useAnnounce(): (text: string) => void {
  return useContext(AnnouncerContext).announce;
}

/** Where words appear. Everything outside a modal dialog is mute, so that each dialog has a place of its own; the newest one counts. */
export function AnnouncementSlot() {
  const { addSlot } = useContext(AnnouncerContext);
  return <div className="toasts" role="status" aria-live="polite" ref={addSlot} />;
}

export function Announcements({ children }: { children: ReactNode }) {
  const [said, setSaid] = useState<{ text: string; count: number }>({ text: '', count: 0 });
  const [slots, setSlots] = useState<readonly HTMLElement[]>([]);
  const announce = useCallback((text: string) => setSaid(({ count }) => ({ text, count: count + 1 })), []);
  const addSlot = useCallback((slot: HTMLElement | null) => {
    if (!slot) {
      return undefined;
    }
    setSlots((before) => [...before, slot]);
    return () => setSlots((before) => before.filter((other) => other !== slot));
  }, []);
  const announcer = useMemo(() => ({ announce, addSlot }), [announce, addSlot]);
  useEffect(() => {
    if (said.text === '') {
      return undefined;
    }
    const timer = setTimeout(() => setSaid(({ count }) => ({ text: '', count })), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [said]);
  const slot = slots.at(-1);
  return (
    <AnnouncerContext value={announcer}>
      {children}
      <AnnouncementSlot />
      {slot &&
        said.text !== '' &&
        createPortal(
          <p className="toast" key={said.count}>
            {said.text}
          </p>,
          slot,
        )}
    </AnnouncerContext>
  );
}
