// This file's job is to show and write journal entries.
import React, { useState } from 'react';
import { FlatList, Pressable, StyleSheet, Text, TextInput, View } from 'react-native';
import { useDispatch, useSelector } from 'react-redux';
import { useTranslation } from 'react-i18next';
import Notice from '../components/Notice';
import { erased, selectEntries, written } from '../store/journal';
import { ago, day } from '../lib/format';
import { trailById } from '../lib/trails';
import { colours, space } from '../lib/theme';

export default function Journal({ route }) {
  const { t } = useTranslation();
  const dispatch = useDispatch();
  const [text, setText] = useState('');
  const entries = useSelector(selectEntries);
  const language = useSelector((state) => state.settings.language);
  const trailId = route.params?.trailId;
  const add = () => {
    dispatch(written(trailId, text.trim()));
    setText('');
  };
  return (
    <View style={styles.screen}>
      {trailId ? (
        <View style={styles.form}>
          <Text style={styles.trail}>{trailById(trailId).name}</Text>
          <TextInput style={styles.input} multiline value={text} onChangeText={setText} placeholder={t('journal.placeholder')} />
          <Pressable disabled={text.trim() === ''} style={styles.button} onPress={add}>
            <Text style={styles.label}>{t('journal.add')}</Text>
          </Pressable>
        </View>
      ) : null}
      <FlatList
        data={entries}
        keyExtractor={(entry) => entry.id}
        ListEmptyComponent={<Notice text={t('journal.empty')} />}
        renderItem={({ item }) => (
          <Pressable style={styles.entry} onLongPress={() => dispatch(erased(item.id))}>
            <Text style={styles.trail}>{trailById(item.trailId).name}</Text>
            <Text style={styles.when}>{day(item.atMs, language)} ({ago(item.atMs, language)})</Text>
            <Text>{item.text}</Text>
          </Pressable>
        )}
      />
    </View>
  );
}

const styles = StyleSheet.create({
  screen: { flex: 1, backgroundColor: colours.paper },
  form: { padding: space.medium, backgroundColor: colours.snow },
  input: { minHeight: 80, borderColor: colours.line, borderWidth: 1, borderRadius: 6, padding: space.small },
  button: { marginTop: space.small, padding: space.medium, borderRadius: 6, backgroundColor: colours.moss },
  label: { color: colours.snow, textAlign: 'center', fontWeight: '600' },
  entry: { padding: space.medium, borderBottomWidth: 1, borderColor: colours.line },
  trail: { color: colours.ink, fontWeight: '600' },
  when: { color: colours.stone, fontSize: 12, marginVertical: 2 },
});
