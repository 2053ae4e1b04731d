// This file's job is to show one trail in full.
import React from 'react';
import { Image, Pressable, ScrollView, StyleSheet, Text, View } from 'react-native';
import { useDispatch, useSelector } from 'react-redux';
import { useTranslation } from 'react-i18next';
import { savedToggled } from '../store/journal';
import { climb, distance, walkingHours } from '../lib/format';
import { trailById } from '../lib/trails';
import { colours, space } from '../lib/theme';

function Fact({ label, value }) {
  return (
    <View style={styles.fact}>
      <Text style={styles.label}>{label}</Text>
      <Text style={styles.value}>{value}</Text>
    </View>
  );
}

export default function Trail({ route, navigation }) {
  const { t } = useTranslation();
  const dispatch = useDispatch();
  const trail = trailById(route.params.id);
  const units = useSelector((state) => state.settings.units);
  const saved = useSelector((state) => state.journal.savedTrailIds.includes(trail.id));
  return (
    <ScrollView style={styles.screen}>
      <Image source={trail.photo} style={styles.photo} />
      <View style={styles.facts}>
        <Fact label={t('trail.length')} value={distance(trail.lengthMetres, units)} />
        <Fact label={t('trail.climb')} value={climb(trail.climbMetres, units)} />
        <Fact label={t('trail.difficulty')} value={t(`difficulty.${trail.difficulty}`)} />
      </View>
      <Text style={styles.duration}>
        {t('trail.duration', { hours: walkingHours(trail.lengthMetres, trail.climbMetres) })}
      </Text>
      <Text style={styles.text}>{trail.text}</Text>
      <Pressable style={styles.button} onPress={() => dispatch(savedToggled(trail.id))}>
        <Text style={styles.buttonLabel}>{saved ? t('trail.saved') : t('trail.save')}</Text>
      </Pressable>
      <Pressable style={styles.button} onPress={() => navigation.navigate('Journal', { trailId: trail.id })}>
        <Text style={styles.buttonLabel}>{t('trail.log')}</Text>
      </Pressable>
      <Pressable style={styles.button} onPress={() => navigation.navigate('Shop', { only: trail.gear })}>
        <Text style={styles.buttonLabel}>{t('trail.gear')}</Text>
      </Pressable>
    </ScrollView>
  );
}

const styles = StyleSheet.create({
  screen: { flex: 1, backgroundColor: colours.paper },
  photo: { width: '100%', height: 220 },
  facts: { flexDirection: 'row', justifyContent: 'space-between', padding: space.large },
  fact: { alignItems: 'center' },
  label: { color: colours.stone, fontSize: 12 },
  value: { color: colours.ink, fontSize: 16, fontWeight: '600' },
  duration: { color: colours.moss, paddingHorizontal: space.large },
  text: { color: colours.ink, padding: space.large, lineHeight: 22 },
  button: { margin: space.medium, padding: space.medium, borderRadius: 6, backgroundColor: colours.moss },
  buttonLabel: { color: colours.snow, textAlign: 'center', fontWeight: '600' },
});
