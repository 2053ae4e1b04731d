// This file's job is to sell gear.
import React, { useEffect } from 'react';
import { ActivityIndicator, FlatList, Image, Pressable, StyleSheet, Text, View } from 'react-native';
import { useDispatch, useSelector } from 'react-redux';
import { useTranslation } from 'react-i18next';
import { intersection, sortBy } from 'lodash';
import Notice from '../components/Notice';
import { added } from '../store/basket';
import { loadStock } from '../store/stock';
import { price } from '../lib/format';
import { colours, space } from '../lib/theme';

export default function Shop({ route, navigation }) {
  const { t } = useTranslation();
  const dispatch = useDispatch();
  const { items, phase, message } = useSelector((state) => state.stock);
  const only = route.params?.only;
  useEffect(() => {
    if (phase === 'idle') {
      dispatch(loadStock());
    }
  }, [dispatch, phase]);
  if (phase === 'loading') {
    return <ActivityIndicator style={styles.waiting} color={colours.moss} />;
  }
  if (phase === 'failed') {
    return <Notice text={message} action={t('shop.retry')} onAction={() => dispatch(loadStock())} />;
  }
  const shown = sortBy(only ? items.filter((item) => intersection(item.tags, only).length > 0) : items, 'cents');
  return (
    <View style={styles.screen}>
      <FlatList
        data={shown}
        keyExtractor={(item) => item.id}
        ListEmptyComponent={<Notice text={t('shop.empty')} />}
        renderItem={({ item }) => (
          <View style={styles.item}>
            <Image source={require('../../assets/pack.png')} style={styles.picture} />
            <View style={styles.words}>
              <Text style={styles.name}>{item.name}</Text>
              <Text style={styles.price}>{price(item.cents)}</Text>
            </View>
            <Pressable onPress={() => dispatch(added(item))}>
              <Text style={styles.add}>{t('shop.add')}</Text>
            </Pressable>
          </View>
        )}
      />
      <Pressable style={styles.basket} onPress={() => navigation.navigate('Basket')}>
        <Text style={styles.basketLabel}>{t('basket.title')}</Text>
      </Pressable>
    </View>
  );
}

const styles = StyleSheet.create({
  screen: { flex: 1, backgroundColor: colours.paper },
  waiting: { flex: 1 },
  item: { flexDirection: 'row', alignItems: 'center', padding: space.medium, borderBottomWidth: 1, borderColor: colours.line },
  picture: { width: 40, height: 40 },
  words: { flex: 1, paddingHorizontal: space.medium },
  name: { color: colours.ink, fontSize: 16 },
  price: { color: colours.stone },
  add: { color: colours.clay, fontWeight: '600' },
  basket: { backgroundColor: colours.moss, padding: space.large },
  basketLabel: { color: colours.snow, textAlign: 'center', fontWeight: '600' },
});
