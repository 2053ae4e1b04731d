// This file's job is to plan a day: pick trails, see the total and when one would be back.
import React, { useMemo, useState } from 'react';
import { FlatList, Image, Pressable, StyleSheet, Text, View } from 'react-native';
import { useSelector } from 'react-redux';
import { useTranslation } from 'react-i18next';
import { addMinutes, format, setHours, startOfDay } from 'date-fns';
import { sumBy } from 'lodash';
import Choice from '../components/Choice';
import { climb, distance, walkingHours } from '../lib/format';
import { trails } from '../lib/trails';
import { colours, space } from '../lib/theme';

const START_HOURS = [6, 7, 8, 9];
const REST_MINUTES_PER_HOUR = 10;

function plan(chosen, startHour) {
  const walking = sumBy(chosen, (trail) => walkingHours(trail.lengthMetres, trail.climbMetres));
  const start = setHours(startOfDay(new Date()), startHour);
  return {
    lengthMetres: sumBy(chosen, 'lengthMetres'),
    climbMetres: sumBy(chosen, 'climbMetres'),
    back: addMinutes(start, walking * (60 + REST_MINUTES_PER_HOUR)),
  };
}

export default function Planner() {
  const { t } = useTranslation();
  const units = useSelector((state) => state.settings.units);
  const [chosenIds, setChosenIds] = useState([]);
  const [startHour, setStartHour] = useState(START_HOURS[2]);
  const chosen = useMemo(() => trails.filter((trail) => chosenIds.includes(trail.id)), [chosenIds]);
  const day = plan(chosen, startHour);
  const toggle = (id) =>
    setChosenIds((ids) => (ids.includes(id) ? ids.filter((each) => each !== id) : [...ids, id]));
  return (
    <View style={styles.screen}>
      <Image source={require('../../assets/map.png')} style={styles.map} />
      <Choice
        title={t('planner.start')}
        options={START_HOURS.map((hour) => ({ value: hour, label: `${hour}:00` }))}
        value={startHour}
        onChange={setStartHour}
      />
      <FlatList
        data={trails}
        keyExtractor={(trail) => trail.id}
        renderItem={({ item }) => (
          <Pressable style={styles.row} onPress={() => toggle(item.id)}>
            <Image source={require('../../assets/compass.png')} style={chosenIds.includes(item.id) ? styles.on : styles.off} />
            <Text style={styles.name}>{item.name}</Text>
            <Text style={styles.fact}>{distance(item.lengthMetres, units)}</Text>
          </Pressable>
        )}
      />
      <Text style={styles.total}>
        {distance(day.lengthMetres, units)} · {climb(day.climbMetres, units)}
      </Text>
      <Text style={styles.back}>{t('planner.back', { time: format(day.back, 'HH:mm') })}</Text>
    </View>
  );
}

const styles = StyleSheet.create({
  screen: { flex: 1, backgroundColor: colours.paper },
  map: { width: '100%', height: 160 },
  row: { flexDirection: 'row', alignItems: 'center', padding: space.medium, borderBottomWidth: 1, borderColor: colours.line },
  on: { width: 24, height: 24 },
  off: { width: 24, height: 24, opacity: 0.2 },
  name: { flex: 1, paddingHorizontal: space.medium, color: colours.ink },
  fact: { color: colours.stone },
  total: { textAlign: 'center', color: colours.ink, fontSize: 18, padding: space.small },
  back: { textAlign: 'center', color: colours.moss, paddingBottom: space.large },
});
