// This file's job is to show a modal dialog: a box in the middle, or a sheet at the side.
import { type MouseEvent, type ReactNode, useId, useLayoutEffect, useRef } from 'react';
import { AnnouncementSlot } from './Announcements.js';
import { CloseIcon } from './icons.js';

interface Props {
  title: ReactNode;
  shape?: 'box' | 'sheet';
  /** Runs on the button, on Escape and on a click outside. */
  onClose: () => void;
  children: ReactNode;
}

/** The browser's own dialog keeps the focus inside; when it goes, the focus returns to where it was. */
export function Dialog({ title, shape = 'box', onClose, children }: Props) {
  const element = useRef<HTMLDialogElement>(null);
  const titleId = useId();
  useLayoutEffect(() => {
    const before = document.activeElement;
    const dialog = element.current;
    dialog?.showModal();
    return () => {
      dialog?.close();
      if (before instanceof HTMLElement) {
        before.focus({ preventScroll: true });
      }
    };
  }, []);
  const onClick = (event: MouseEvent): void => {
    if (event.target === element.current) {
      onClose();
    }
  };
  return (
    <dialog
      ref={element}
      className={`dialog dialog-${shape}`}
      aria-labelledby={titleId}
      onClick={onClick}
      onCancel={(event) => {
        event.preventDefault();
        event.stopPropagation();
        onClose();
      }}
    >
      <div className="dialog-body">
        <header className="dialog-head">
          <h2 id={titleId}>{title}</h2>
          <button type="button" className="button-icon" onClick={onClose} aria-label="Close">
            <CloseIcon />
          </button>
        </header>
        {children}
      </div>
      <AnnouncementSlot />
    </dialog>
  );
}
