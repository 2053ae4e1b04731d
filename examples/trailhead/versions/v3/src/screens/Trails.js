// This file's job is to list the trails and search among them.
import React, { useCallback, useMemo, useState } from 'react';
import { FlatList, Pressable, StyleSheet, Text, TextInput, View } from 'react-native';
import { useSelector } from 'react-redux';
import { useTranslation } from 'react-i18next';
import Notice from '../components/Notice';
import TrailCard from '../components/TrailCard';
import { trails } from '../lib/trails';
import { colours, space } from '../lib/theme';

const shortcuts = ['Planner', 'Shop', 'Journal', 'Settings'];

export default function Trails({ navigation }) {
  const { t } = useTranslation();
  const [query, setQuery] = useState('');
  const units = useSelector((state) => state.settings.units);
  const savedTrailIds = useSelector((state) => state.journal.savedTrailIds);
  const found = useMemo(() => {
    const wanted = query.trim().toLowerCase();
    return trails.filter((trail) => `${trail.name} ${trail.region}`.toLowerCase().includes(wanted));
  }, [query]);
  const open = useCallback(
    (trail) => navigation.navigate('Trail', { id: trail.id, name: trail.name }),
    [navigation],
  );
  return (
    <View style={styles.screen}>
      <TextInput style={styles.search} value={query} onChangeText={setQuery} placeholder={t('trails.search')} />
      <View style={styles.shortcuts}>
        {shortcuts.map((name) => (
          <Pressable key={name} onPress={() => navigation.navigate(name)}>
            <Text style={styles.shortcut}>{t(`${name.toLowerCase()}.title`)}</Text>
          </Pressable>
        ))}
      </View>
      <FlatList
        data={found}
        keyExtractor={(trail) => trail.id}
        renderItem={({ item }) => (
          <TrailCard trail={item} units={units} saved={savedTrailIds.includes(item.id)} onPress={open} />
        )}
        ListEmptyComponent={<Notice text={t('trails.none', { query })} />}
      />
    </View>
  );
}

const styles = StyleSheet.create({
  screen: { flex: 1, backgroundColor: colours.paper },
  search: { backgroundColor: colours.snow, margin: space.medium, padding: space.medium, borderRadius: 6 },
  shortcuts: { flexDirection: 'row', justifyContent: 'space-around' },
  shortcut: { color: colours.clay, fontWeight: '600' },
});
