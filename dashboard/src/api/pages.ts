// This file's job is to read a list of several pages whole, up to a bound.

/** 5,000 entries: more than a person reads, little enough for one screen. */
const PAGES_MAX = 5;

export interface Items<Item> {
  items: Item[];
  /** There is more than was read. */
  cut: boolean;
}

/** `fetchPage` answers the items and the next page's token, which is empty at the end. */
export async function everyPage<Item>(fetchPage: (pageToken: string) => Promise<[Item[], string]>): Promise<Items<Item>> {
  const items: Item[] = [];
  let pageToken = '';
  for (let count = 0; count < PAGES_MAX; count += 1) {
    const [page, nextToken] = await fetchPage(pageToken);
    items.push(...page);
    pageToken = nextToken;
    if (pageToken === '') {
      return { items, cut: false };
    }
  }
  return { items, cut: true };
}
