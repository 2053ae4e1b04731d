// This file's job is to show one trail in a list.
import React, { memo } from 'react';
import { Image, Pressable, StyleSheet, Text, View } from 'react-native';
import { useTranslation } from 'react-i18next';
import { climb, distance } from '../lib/format';
import { colours, space } from '../lib/theme';

function TrailCard({ trail, units, saved, onPress }) {
  const { t } = useTranslation();
  return (
    <Pressable style={styles.card} onPress={() => onPress(trail)} accessibilityRole="button">
      <Image source={trail.photo} style={styles.photo} />
      <View style={styles.body}>
        <Text style={styles.name}>{trail.name}</Text>
        <Text style={styles.region}>{trail.region}</Text>
        <Text style={styles.facts}>
          {distance(trail.lengthMetres, units)} · {climb(trail.climbMetres, units)} · {t(`difficulty.${trail.difficulty}`)}
        </Text>
      </View>
      {saved ? <Image source={require('../../assets/pin.png')} style={styles.pin} /> : null}
    </Pressable>
  );
}

const styles = StyleSheet.create({
  card: { backgroundColor: colours.snow, borderColor: colours.line, borderWidth: 1, borderRadius: 8, margin: space.medium },
  photo: { width: '100%', height: 140, borderTopLeftRadius: 8, borderTopRightRadius: 8 },
  body: { padding: space.medium },
  name: { fontSize: 18, fontWeight: '600', color: colours.ink },
  region: { color: colours.stone, marginTop: 2 },
  facts: { color: colours.moss, marginTop: space.small },
  pin: { position: 'absolute', right: space.medium, top: space.medium, width: 24, height: 24 },
});

export default memo(TrailCard);
