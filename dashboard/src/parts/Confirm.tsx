// This file's job is to ask before a change, with its effect in words.
import type { ReactNode } from 'react';
import { Dialog } from './Dialog.js';
import { Notice } from './Notice.js';

interface Props {
  title: string;
  /** What will happen, to whom, and when. */
  effect: ReactNode;
  /** The word on the button: a verb. */
  verb: string;
  danger?: boolean;
  busy: boolean;
  /** The button waits for something else. */
  blocked?: boolean;
  error: unknown;
  onConfirm: () => void;
  onClose: () => void;
  children?: ReactNode;
}

export function Confirm({ title, effect, verb, danger = false, busy, blocked = false, error, onConfirm, onClose, children }: Props) {
  return (
    <Dialog title={title} onClose={onClose}>
      <form
        className="stack"
        onSubmit={(event) => {
          event.preventDefault();
          onConfirm();
        }}
      >
        {children}
        <div className="effect">{effect}</div>
        {error !== null && error !== undefined && <Notice error={error} />}
        <div className="dialog-actions">
          <button type="button" className="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" className={`button ${danger ? 'button-danger' : 'button-primary'}`} disabled={busy || blocked}>
            {busy ? 'Working…' : verb}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
