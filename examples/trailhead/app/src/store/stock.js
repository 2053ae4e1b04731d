// This file's job is to keep what the outfitter has on the shelf.
import { createAsyncThunk, createSlice } from '@reduxjs/toolkit';
import { listStock } from '../lib/api';

export const loadStock = createAsyncThunk('stock/load', listStock);

const slice = createSlice({
  name: 'stock',
  initialState: { items: [], phase: 'idle', message: null },
  reducers: {},
  extraReducers: (builder) => {
    builder
      .addCase(loadStock.pending, (state) => {
        state.phase = 'loading';
      })
      .addCase(loadStock.fulfilled, (state, { payload }) => {
        state.phase = 'ready';
        state.items = payload;
      })
      .addCase(loadStock.rejected, (state, { error }) => {
        state.phase = 'failed';
        state.message = error.message;
      });
  },
});

export default slice.reducer;
