// This file's job is to assemble the store.
import { configureStore } from '@reduxjs/toolkit';
import basket from './basket';
import journal from './journal';
import settings from './settings';
import stock from './stock';

export const store = configureStore({ reducer: { basket, journal, settings, stock } });
