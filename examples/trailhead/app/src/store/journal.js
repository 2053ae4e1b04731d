// This file's job is to keep the hiker's journal and saved trails.
import { createEntityAdapter, createSlice, nanoid } from '@reduxjs/toolkit';

const entries = createEntityAdapter({ sortComparer: (left, right) => right.atMs - left.atMs });

const slice = createSlice({
  name: 'journal',
  initialState: entries.getInitialState({ savedTrailIds: [] }),
  reducers: {
    written: {
      prepare: (trailId, text) => ({ payload: { id: nanoid(), trailId, text, atMs: Date.now() } }),
      reducer: entries.addOne,
    },
    erased: entries.removeOne,
    savedToggled(state, { payload: trailId }) {
      const at = state.savedTrailIds.indexOf(trailId);
      if (at < 0) {
        state.savedTrailIds.push(trailId);
      } else {
        state.savedTrailIds.splice(at, 1);
      }
    },
  },
});

export const { written, erased, savedToggled } = slice.actions;
export const { selectAll: selectEntries } = entries.getSelectors((state) => state.journal);

export default slice.reducer;
