// This file's job is to show a machine's word that people copy.
import { useAnnounce } from './Announcements.js';
import { CopyIcon } from './icons.js';

interface Props {
  /** What is copied. */
  value: string;
  /** What is shown; the value when missing. */
  shown?: string;
  /** What it is, for screen readers: "bundle hash". */
  what: string;
}

export function CopyText({ value, shown, what }: Props) {
  const announce = useAnnounce();
  const copy = (): void => {
    navigator.clipboard.writeText(value).then(
      () => announce(`The ${what} is in the clipboard.`),
      () => announce(`The browser did not allow copying. The ${what} is ${value}`),
    );
  };
  return (
    <span className="copy-text">
      <code title={value}>{shown ?? value}</code>
      {'clipboard' in navigator && (
        <button type="button" className="button-icon button-small" onClick={copy} aria-label={`Copy the ${what}`}>
          <CopyIcon />
        </button>
      )}
    </span>
  );
}
