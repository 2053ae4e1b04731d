// This file's job is to keep the hiker's choices.
import { createSlice } from '@reduxjs/toolkit';

const slice = createSlice({
  name: 'settings',
  initialState: { language: 'en', units: 'metric' },
  reducers: {
    languageChosen(state, { payload }) {
      state.language = payload;
    },
    unitsChosen(state, { payload }) {
      state.units = payload;
    },
  },
});

export const { languageChosen, unitsChosen } = slice.actions;

export default slice.reducer;
