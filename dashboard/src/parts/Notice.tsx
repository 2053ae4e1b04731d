// This file's job is to show a failure: what happened, the server's words, the reason, what to do next.
import { describeFailure } from '../api/failure.js';
import { AlertIcon } from './icons.js';

interface Props {
  error: unknown;
  /** Tries again; the button is missing without it. */
  onRetry?: (() => void) | undefined;
}

export function Notice({ error, onRetry }: Props) {
  const failure = describeFailure(error);
  return (
    <div className="notice" role="alert">
      <AlertIcon />
      <div className="notice-text">
        <p className="notice-title">{failure.title}</p>
        {failure.message !== '' && <p>{sentence(failure.message)}</p>}
        {failure.fields.length > 0 && (
          <ul>
            {failure.fields.map(({ field, problem }) => (
              <li key={`${field} ${problem}`}>
                <code>{field}</code> {problem}
              </li>
            ))}
          </ul>
        )}
        <p className="notice-next">{failure.next}</p>
        {failure.reason !== '' && (
          <p className="notice-reason">
            Reason <code>{failure.reason}</code>
          </p>
        )}
      </div>
      {onRetry && (
        <button type="button" className="button" onClick={onRetry}>
          Try again
        </button>
      )}
    </div>
  );
}

/** The server's messages are fragments; on screen they stand alone. */
function sentence(text: string): string {
  const whole = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(whole) ? whole : `${whole}.`;
}
