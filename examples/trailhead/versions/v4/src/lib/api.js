// This file's job is to fetch the outfitter's stock.
import axios from 'axios';

const TIMEOUT_MS = 8000;

const client = axios.create({ baseURL: 'https://outfitter.example/api', timeout: TIMEOUT_MS, transitional: { clarifyTimeoutError: true } });

export async function listStock() {
  const answer = await client.get('/stock', { params: { limit: 50 } });
  return answer.data.items;
}

export async function placeOrder(lines) {
  const answer = await client.post('/orders', { lines });
  return answer.data.orderId;
}
