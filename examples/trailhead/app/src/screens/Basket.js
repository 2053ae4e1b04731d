// This file's job is to show what will be ordered and what it costs.
import React from 'react';
import { FlatList, Pressable, StyleSheet, Text, View } from 'react-native';
import { useDispatch, useSelector } from 'react-redux';
import { useTranslation } from 'react-i18next';
import Notice from '../components/Notice';
import { emptied, removed, selectTotals } from '../store/basket';
import { placeOrder } from '../lib/api';
import { price } from '../lib/format';
import { colours, space } from '../lib/theme';

export default function Basket({ navigation }) {
  const { t } = useTranslation();
  const dispatch = useDispatch();
  const lines = useSelector((state) => state.basket.lines);
  const totals = useSelector(selectTotals);
  const order = async () => {
    await placeOrder(lines.map(({ id, count }) => ({ id, count })));
    dispatch(emptied());
    navigation.popToTop();
  };
  if (lines.length === 0) {
    return <Notice text={t('basket.empty')} />;
  }
  return (
    <View style={styles.screen}>
      <FlatList
        data={lines}
        keyExtractor={(line) => line.id}
        renderItem={({ item }) => (
          <View style={styles.line}>
            <Text style={styles.name}>{item.count} × {item.name}</Text>
            <Text>{price(item.cents * item.count)}</Text>
            <Pressable onPress={() => dispatch(removed(item.id))}>
              <Text style={styles.remove}>{t('basket.remove')}</Text>
            </Pressable>
          </View>
        )}
      />
      <Text style={styles.sum}>{t('basket.items', { count: totals.count })}</Text>
      <Text style={styles.sum}>
        {t('basket.shipping')}: {totals.shippingCents === 0 ? t('basket.free') : price(totals.shippingCents)}
      </Text>
      <Text style={styles.total}>{t('basket.total')}: {price(totals.totalCents)}</Text>
      <Pressable style={styles.button} onPress={order}>
        <Text style={styles.label}>{t('basket.order')}</Text>
      </Pressable>
    </View>
  );
}

const styles = StyleSheet.create({
  screen: { flex: 1, backgroundColor: colours.paper, padding: space.medium },
  line: { flexDirection: 'row', justifyContent: 'space-between', padding: space.medium },
  name: { color: colours.ink },
  remove: { color: colours.clay },
  sum: { color: colours.stone, textAlign: 'right' },
  total: { color: colours.ink, textAlign: 'right', fontSize: 18, fontWeight: '600' },
  button: { marginTop: space.large, padding: space.medium, borderRadius: 6, backgroundColor: colours.moss },
  label: { color: colours.snow, textAlign: 'center', fontWeight: '600' },
});
