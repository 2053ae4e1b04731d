// This file's job is to show at a glance what a channel's devices are offered now.
import { Link } from '@tanstack/react-router';
import type { Release } from '../gen/aloft/v1/releases_pb.js';
import { offersOf } from '../offers.js';
import { WHOLE_PPM, formatShare } from '../percent.js';
import { PLATFORMS, shareOf } from '../words.js';

/** More kinds of binary than that are for the table to tell. */
const SHOWN_MAX = 6;

interface Props {
  app: string;
  channel: string;
  releases: readonly Release[];
  /** A blocked channel offers nothing, whatever its releases say. */
  blocked: boolean;
}

export function Offers({ app, channel, releases, blocked }: Props) {
  const offers = offersOf(releases);
  if (blocked || offers.length === 0) {
    return <p className="muted">{blocked ? 'Blocked: offers nothing to anybody.' : 'Offers nothing yet.'}</p>;
  }
  return (
    <ul className="offers">
      {offers.slice(0, SHOWN_MAX).map((offer) => (
        <li key={`${offer.platform} ${offer.target}`} className="offer">
          <span className="offer-who">
            <strong>{PLATFORMS[offer.platform]}</strong> <span className="muted">{offer.target}</span>
          </span>
          <span className="offer-chain">
            {offer.releases.map((release, index) => (
              <Link
                key={release.name}
                to="/apps/$app/channels/$channel"
                params={{ app, channel }}
                search={{ release: release.label }}
                activeOptions={{ exact: true }}
                className={`chip ${shareOf(release) === WHOLE_PPM ? 'chip-live' : 'chip-ramping'}`}
              >
                {release.label} <span className="chip-share">{chainWords(release, index)}</span>
              </Link>
            ))}
          </span>
        </li>
      ))}
      {offers.length > SHOWN_MAX && <li className="muted">and {offers.length - SHOWN_MAX} more kinds of binary</li>}
    </ul>
  );
}

function chainWords(release: Release, index: number): string {
  if (shareOf(release) === WHOLE_PPM) {
    return index === 0 ? 'everybody' : 'the rest';
  }
  return formatShare(shareOf(release));
}
