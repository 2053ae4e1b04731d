// This file's job is to show a state as a word with a shape and a colour.
import type { Release } from '../gen/aloft/v1/releases_pb.js';
import { STANDINGS, type Tone, standing } from '../words.js';

export function Badge({ tone, title, children }: { tone: Tone; title?: string | undefined; children: string }) {
  return (
    <span className={`badge tone-${tone}`} title={title}>
      {children}
    </span>
  );
}

export function StandingBadge({ release }: { release: Pick<Release, 'enabled' | 'rollout'> }) {
  const { word, tone, meaning } = STANDINGS[standing(release)];
  return (
    <Badge tone={tone} title={meaning}>
      {word}
    </Badge>
  );
}
