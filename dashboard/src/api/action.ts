// This file's job is to run one change: call the server, refresh what is shown, tell the person.
import { type UseMutationResult, useMutation, useQueryClient } from '@tanstack/react-query';
import { useAnnounce } from '../parts/Announcements.js';

/** `said` makes the words that are shown after success. Whatever the outcome, everything on screen is read again. */
export function useAction<Input, Answer>(
  run: (input: Input) => Promise<Answer>,
  said: (answer: Answer, input: Input) => string,
): UseMutationResult<Answer, Error, Input> {
  const queries = useQueryClient();
  const announce = useAnnounce();
  return useMutation<Answer, Error, Input>({
    mutationFn: run,
    onSuccess: (answer, input) => announce(said(answer, input)),
    onSettled: () => {
      void queries.invalidateQueries();
    },
  });
}
