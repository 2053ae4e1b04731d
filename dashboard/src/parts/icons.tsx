// This file's job is to draw the few icons. All are decoration: the words beside them carry the meaning.
import type { ReactNode } from 'react';

function Icon({ children }: { children: ReactNode }) {
  return (
    <svg className="icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" focusable="false">
      {children}
    </svg>
  );
}

export function Mark() {
  return (
    <svg viewBox="0 0 32 32" width="28" height="28" aria-hidden="true" focusable="false">
      <rect width="32" height="32" rx="8" className="mark-ground" />
      <path d="M7 19.5 16 8l9 11.5-9-4z" fill="#fff" />
      <path d="M11 24l5-2.4 5 2.4" fill="none" stroke="#a9c0ff" strokeWidth="2.4" strokeLinecap="round" strokeLinejoin="round" />
    </svg>
  );
}

export const CloseIcon = () => (
  <Icon>
    <path d="m4 4 8 8m0-8-8 8" />
  </Icon>
);

export const ChevronIcon = () => (
  <Icon>
    <path d="m6 3.5 4.5 4.5L6 12.5" />
  </Icon>
);

export const PlusIcon = () => (
  <Icon>
    <path d="M8 3v10M3 8h10" />
  </Icon>
);

export const PauseIcon = () => (
  <Icon>
    <path d="M5.5 3.5v9m5-9v9" />
  </Icon>
);

export const PlayIcon = () => (
  <Icon>
    <path d="m5 3.5 7 4.5-7 4.5z" />
  </Icon>
);

export const BackIcon = () => (
  <Icon>
    <path d="M6 3 2.5 6.5 6 10M3 6.5h6.2a3.3 3.3 0 0 1 0 6.6H6.5" />
  </Icon>
);

export const PromoteIcon = () => (
  <Icon>
    <path d="M8 13V3M3.8 7.2 8 3l4.2 4.2" />
  </Icon>
);

export const AlertIcon = () => (
  <Icon>
    <path d="M8 2.2 14.4 13.5H1.6zM8 6.5v3.2m0 1.6v.6" />
  </Icon>
);

export const CopyIcon = () => (
  <Icon>
    <path d="M6 6h7.2v7.2H6zM10 3.2V2.8H2.8V10h.4" />
  </Icon>
);

export const ThemeIcon = () => (
  <Icon>
    <circle cx="8" cy="8" r="5.6" />
    <path d="M8 2.4a5.6 5.6 0 0 1 0 11.2z" className="icon-solid" />
  </Icon>
);
