// This file's job is to draw a share of devices beside its exact figure.
import { WHOLE_PPM, formatShare } from '../percent.js';

interface Props {
  ppm: number;
  /** Not offered at present: drawn without colour. */
  idle?: boolean;
  /** A share that is not set yet, drawn as an outline. */
  draftPpm?: number | undefined;
}

export function ShareBar({ ppm, idle = false, draftPpm }: Props) {
  const width = (value: number): string => `${(value / WHOLE_PPM) * 100}%`;
  return (
    <span className={`share${idle ? ' share-idle' : ''}`}>
      <span className="share-track" aria-hidden="true">
        {draftPpm !== undefined && draftPpm !== ppm && <span className="share-draft" style={{ width: width(draftPpm) }} />}
        <span className="share-fill" style={{ width: width(ppm) }} />
      </span>
      <span className="share-figure">{formatShare(ppm)}</span>
    </span>
  );
}
