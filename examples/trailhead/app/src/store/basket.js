// This file's job is to keep what the hiker wants to buy.
import { createSelector, createSlice } from '@reduxjs/toolkit';
import { sumBy } from 'lodash';

const FREE_SHIPPING_FROM_CENTS = 5000;
const SHIPPING_CENTS = 490;

const slice = createSlice({
  name: 'basket',
  initialState: { lines: [] },
  reducers: {
    added(state, { payload: item }) {
      const line = state.lines.find((each) => each.id === item.id);
      if (line) {
        line.count += 1;
      } else {
        state.lines.push({ id: item.id, name: item.name, cents: item.cents, count: 1 });
      }
    },
    removed(state, { payload: id }) {
      state.lines = state.lines.filter((each) => each.id !== id);
    },
    emptied(state) {
      state.lines = [];
    },
  },
});

export const { added, removed, emptied } = slice.actions;

export const selectTotals = createSelector(
  (state) => state.basket.lines,
  (lines) => {
    const goodsCents = sumBy(lines, (line) => line.cents * line.count);
    const shippingCents = goodsCents > FREE_SHIPPING_FROM_CENTS ? 0 : SHIPPING_CENTS;
    return { count: sumBy(lines, 'count'), goodsCents, shippingCents, totalCents: goodsCents + shippingCents };
  },
);

export default slice.reducer;
